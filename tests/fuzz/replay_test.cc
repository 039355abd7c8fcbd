// The fuzz targets without a fuzzer: every seed as it is, and damaged in ways that a fixed
// generator picks. Finds what is shallow on any machine; `tools/fuzz.sh` looks deeper
// (docs/fuzzing.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// fuzz/fuzz_NAME.cc is compiled with its entry point called run_fuzz_NAME (tests/CMakeLists.txt).
#define FARTHING_FUZZ_TARGETS(T)                                                                 \
  T(bitmask)                                                                                     \
  T(chat_template) T(config) T(gguf) T(gguf_vocabulary) T(json) T(quantization_config) T(recipe) \
      T(safetensors) T(shard_index) T(tokenizer_json) T(tokenizer_model) T(vocab_files)
#define DECLARE(name) extern "C" int run_fuzz_##name(const std::uint8_t* data, std::size_t size);
FARTHING_FUZZ_TARGETS(DECLARE)
#undef DECLARE

namespace farthing {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};
#define ROW(name) Target{#name, run_fuzz_##name},
constexpr Target kTargets[] = {FARTHING_FUZZ_TARGETS(ROW)};
#undef ROW

std::vector<Bytes> seeds_of(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(FARTHING_SOURCE_DIR "/fuzz/corpus/" + name))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

class Damage {
 public:
  Bytes apply(Bytes bytes, const Bytes& other) {
    for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size()));
      switch (below(5)) {
        case 0:
          *at ^= static_cast<std::uint8_t>(1U << below(8));
          break;
        case 1:
          *at = static_cast<std::uint8_t>(below(256));
          break;
        case 2:  // the end is missing
          bytes.erase(at, bytes.end());
          break;
        case 3: {  // eight bytes are huge: lengths, offsets, counts
          const auto end = std::min<std::ptrdiff_t>(8, bytes.end() - at);
          std::fill(at, at + end, below(2) == 0 ? 0xff : 0x7f);
          break;
        }
        default: {  // a piece of another seed
          const std::size_t from = other.empty() ? 0 : below(other.size());
          const std::size_t count = std::min<std::size_t>(other.size() - from, below(64));
          const auto first = other.begin() + static_cast<std::ptrdiff_t>(from);
          bytes.insert(at, first, first + static_cast<std::ptrdiff_t>(count));
        }
      }
    }
    return bytes;
  }
  std::size_t below(std::size_t limit) { return random_() % limit; }

 private:
  std::mt19937 random_{20260101};
};

class FuzzReplay : public ::testing::TestWithParam<Target> {};

TEST_P(FuzzReplay, EndsInAResultOrAComplaintForSeedsAndWhatIsMadeOfThem) {
  const std::vector<Bytes> seeds = seeds_of(GetParam().name);
  ASSERT_FALSE(seeds.empty());
  for (const Bytes& seed : seeds) EXPECT_EQ(GetParam().run(seed.data(), seed.size()), 0);
  Damage damage;
  constexpr int kRuns = 10000;
  for (int i = 0; i < kRuns; ++i) {
    const Bytes bytes =
        damage.apply(seeds[damage.below(seeds.size())], seeds[damage.below(seeds.size())]);
    EXPECT_EQ(GetParam().run(bytes.data(), bytes.size()), 0);
  }
}
INSTANTIATE_TEST_SUITE_P(Targets, FuzzReplay, ::testing::ValuesIn(kTargets),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace farthing
