#include "cli/verbs.h"

namespace farthing::cli {
namespace {

constexpr Verb kVerbs[] = {
    {"inspect", "What is in a model and what it needs", add_inspect},
    {"chat", "Talk to a model", add_chat},
    {"generate", "One answer to one prompt", add_generate},
    {"calibrate", "Check and choose calibration data", add_calibrate},
    {"compress", "Fewer bits for the weights, by a recipe", add_compress},
    {"distill", "Train a student on what its teacher says", add_distill},
    {"convert", "The same numbers in another format", add_convert},
    {"eval", "Perplexity, tasks, and the difference to a reference model", add_eval},
    {"sensitivity", "What each layer costs at each precision", add_sensitivity},
    {"tune", "The fastest mix of precisions under a quality floor, on this machine", add_tune},
    {"verify", "Does an artefact keep its promise here", add_verify},
    {"diff", "Two artefacts layer by layer", add_diff},
    {"bench", "Tokens per second, and share of what the machine can do", add_bench},
    {"report", "One page that shows all that is known about a model", add_report},
    {"logits", "Logits of given tokens, for comparing with other implementations", add_logits},
    {"tokenize", "Token ids of texts", add_tokenize},
    {"render", "The chat template's text of a conversation", add_render},
};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace farthing::cli
