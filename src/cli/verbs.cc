#include "cli/verbs.h"

namespace farthing::cli {
namespace {

constexpr Verb kVerbs[] = {
    {"inspect", "What is in a model and what it needs", add_inspect},
    {"compress", "Fewer bits for the weights, by a recipe", add_compress},
    {"bench", "Tokens per second, and share of what the machine can do", add_bench},
    {"logits", "Logits of given tokens, for comparing with other implementations", add_logits},
};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace farthing::cli
