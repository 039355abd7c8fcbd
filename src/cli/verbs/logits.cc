// farthing logits MODEL --tokens 1,5,9 --out F.npy
#include <fmt/core.h>

#include <cstdio>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"

namespace farthing::cli {
namespace {

// NumPy's format version 1.0: a padded header of Python text, then the numbers.
void write_npy(const std::string& path, const std::vector<float>& numbers, std::int64_t rows,
               std::int64_t cols) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) bad_input("--out {}: cannot be written", path);
  const unsigned char start[] = {0x93,
                                 'N',
                                 'U',
                                 'M',
                                 'P',
                                 'Y',
                                 1,
                                 0,
                                 static_cast<unsigned char>(header.size() & 255),
                                 static_cast<unsigned char>(header.size() >> 8)};
  bool good = std::fwrite(start, 1, sizeof start, file) == sizeof start;
  good = good && std::fwrite(header.data(), 1, header.size(), file) == header.size();
  good = good && std::fwrite(numbers.data(), sizeof(float), numbers.size(), file) == numbers.size();
  good = std::fflush(file) == 0 && good;
  if (file != stdout) good = std::fclose(file) == 0 && good;
  if (!good) out_of_resources("--out {}: writing failed; is the disk full?", path);
}

struct Options {
  Common common;
  ModelOptions model;
  std::string tokens, out;
  std::int64_t chunk = 512;
};

void run(const Options& o) {
  const auto tokens = parse_tokens(o.tokens);
  if (o.chunk < 1) usage_error("--chunk must be at least 1; got {}", o.chunk);
  const auto runtime = make_runtime(o.common);
  LoadedModel loaded = load_model(*runtime, o.model);
  model::Model& model = *loaded.model;
  cache::PagedKv kv = model.make_cache(loaded.kv);
  const int sequence = kv.open();
  const auto total = static_cast<std::int64_t>(tokens.size()), vocab = model.config().vocab;
  std::vector<float> all(static_cast<std::size_t>(total * vocab));
  for (std::int64_t first = 0; first < total; first += o.chunk) {
    const std::int64_t count = std::min(o.chunk, total - first);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
    for (std::int64_t r = 0; r < count; ++r) rows[static_cast<std::size_t>(r)] = r;
    const cache::SequenceSlice slice{sequence, 0, count, first, total};
    const cache::Batch batch{
        {tokens.data() + first, static_cast<std::size_t>(count)}, {&slice, 1}, rows};
    model.forward(*runtime, batch, kv, [&](std::int64_t from, MatrixView<const float> logits) {
      for (std::int64_t r = 0; r < logits.rows; ++r)
        std::ranges::copy(logits.row(r), all.begin() + (first + from + r) * vocab);
    });
  }
  write_npy(o.out, all, total, vocab);
  write_json(o.common, {{"schema", 1}, {"tokens", total}, {"vocabulary", vocab}, {"out", o.out}});
}

}  // namespace

void add_logits(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--tokens", o->tokens, "Token ids separated by commas; nothing is added to them")
      ->required();
  verb.add_option("--out", o->out, "NumPy file for (tokens, vocabulary) float32 numbers")
      ->required();
  verb.add_option("--chunk", o->chunk, "Tokens a forward pass takes")->show_default();
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
