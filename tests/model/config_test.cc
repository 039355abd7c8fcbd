// What config.json says and what it leaves unsaid.
#include <gtest/gtest.h>

#include "model/architecture.h"

namespace farthing::model {
namespace {

std::vector<std::int64_t> windows_of(const std::string& window) {
  const Json config = parse_json(R"({"architectures": ["MistralForCausalLM"], "hidden_size": 32,
"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 10,
"max_position_embeddings": 32768)" + window +
                                     "}",
                                 "config.json");
  return read_config(find_architecture(config), config, false).windows;
}

// Mistral 7B v0.1 leaves the window to its class, v0.2 and later say null: full attention.
TEST(Config, AWindowThatIsNullIsNoneAndOneThatIsAbsentIsTheFamilys) {
  EXPECT_EQ(windows_of(""), (std::vector<std::int64_t>{4096, 4096}));
  EXPECT_EQ(windows_of(R"(, "sliding_window": null)"), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(windows_of(R"(, "sliding_window": 8)"), (std::vector<std::int64_t>{8, 8}));
}

}  // namespace
}  // namespace farthing::model
