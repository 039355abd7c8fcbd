// farthing inspect MODEL | --machine: tensors, bytes, and what this machine would need.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "cli/common.h"
#include "cli/inspect_machine.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/bitmask_matrix.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string model, kv;
  bool tensors = false, machine = false, refresh = false;
  std::int64_t context = 0;
};

struct Summary {
  std::uint64_t weights = 0, parameters = 0, kv_per_token = 0, kv_context = 0, context = 0,
                need = 0, memory = 0;
  std::map<std::string, std::pair<std::uint64_t, int>> by_dtype;  // bytes, tensors
  struct Bitmaps {  // matrices whose zeros are not in the files
    int matrices = 0;
    std::uint64_t weights = 0, kept = 0, bytes = 0, dense_bytes = 0;
  } bitmaps;
};

// A matrix that is kept by a bitmap is dense in memory, but where kernels squeeze it.
void count_bitmap(const io::Checkpoint& checkpoint, const std::string& base,
                  const QuantizedTensor& dense, Summary& s) {
  const auto stored = io::stored_bitmask(checkpoint, base);
  if (!stored) return;
  ++s.bitmaps.matrices;
  s.bitmaps.weights += static_cast<std::uint64_t>(dense.shape.size());
  s.bitmaps.kept += stored->kept;
  s.bitmaps.bytes += stored->bytes;
  s.bitmaps.dense_bytes += dense.parts[0].size();
  s.need += dense.parts[0].size() - std::min<std::uint64_t>(stored->bytes, dense.parts[0].size());
}

// Bytes of keys and values of one sequence: a window holds no more than itself, in whole pages.
std::uint64_t kv_bytes(const model::ModelConfig& c, const kernels::KvLayout& layout,
                       std::int64_t context) {
  std::uint64_t pages = 0;
  for (std::int64_t window : c.windows) {
    const std::int64_t held =
        window > 0 ? std::min(context, window + kernels::kPageTokens) : context;
    pages += static_cast<std::uint64_t>((held + kernels::kPageTokens - 1) / kernels::kPageTokens);
  }
  return pages * layout.page_bytes();
}

Summary summarize(const io::Checkpoint& checkpoint, const model::ModelConfig& c, kernels::KvType kv,
                  std::int64_t context) {
  Summary s;
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    s.weights += tensor.bytes.size();
    auto& [bytes, count] = s.by_dtype[tensor.dtype];
    bytes += tensor.bytes.size();
    ++count;
  }
  const kernels::KvLayout layout{.type = kv,
                                 .kv_heads = static_cast<int>(c.kv_heads),
                                 .head_dim = static_cast<int>(c.head_dim)};
  s.kv_per_token = layout.bytes_per_token() * static_cast<std::uint64_t>(c.layers);
  s.context = static_cast<std::uint64_t>(context);
  s.kv_context = kv_bytes(c, layout, context);
  // Buffers of a prefill chunk of 512 tokens, and a slab of logits.
  const auto width = static_cast<std::uint64_t>(6 * c.hidden + 2 * c.q_width() + 2 * c.kv_width() +
                                                3 * c.intermediate);
  const std::uint64_t buffers = 512 * width * 4 + 64 * static_cast<std::uint64_t>(c.vocab) * 4;
  s.need = s.weights + s.kv_context + buffers + 20'000'000;
  s.memory = machine_limits().memory_bytes;
  return s;
}

void print_tensors(const Common& common, const io::Checkpoint& checkpoint) {
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    std::string shape;
    for (std::int64_t n : tensor.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(n);
    print(common, fmt::format("  {:<60} {:<8} [{}] {}\n", printable(tensor.name), tensor.dtype,
                              shape, human_bytes(tensor.bytes.size())));
  }
}

Json to_json(const Summary& s, const model::ModelConfig& c, const io::Checkpoint& checkpoint,
             kernels::KvType kv) {
  Json dtypes = Json::object(), tensors = Json::array();
  for (const auto& [dtype, value] : s.by_dtype)
    dtypes[dtype] = {{"bytes", value.first}, {"tensors", value.second}};
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    tensors.push_back({{"name", tensor.name},
                       {"dtype", tensor.dtype},
                       {"shape", tensor.shape},
                       {"bytes", tensor.bytes.size()}});
  return {{"schema", 1},
          {"architecture", c.architecture},
          {"layers", c.layers},
          {"hidden", c.hidden},
          {"heads", c.heads},
          {"kv_heads", c.kv_heads},
          {"head_dim", c.head_dim},
          {"intermediate", c.intermediate},
          {"vocab", c.vocab},
          {"max_positions", c.max_positions},
          {"tied", c.tied},
          {"parameters", s.parameters},
          {"weights_bytes", s.weights},
          {"dtypes", dtypes},
          {"bitmaps",
           {{"matrices", s.bitmaps.matrices},
            {"weights", s.bitmaps.weights},
            {"kept", s.bitmaps.kept},
            {"bytes", s.bitmaps.bytes},
            {"dense_bytes", s.bitmaps.dense_bytes}}},
          {"kv", kernels::kv_type_name(kv)},
          {"kv_bytes_per_token", s.kv_per_token},
          {"context", s.context},
          {"kv_bytes", s.kv_context},
          {"need_bytes", s.need},
          {"memory_bytes", s.memory},
          {"models_that_fit", s.memory / s.need},
          {"tensors", tensors}};
}

void run(const Options& o) {
  if (o.machine != o.model.empty()) usage_error("give either MODEL or --machine");
  if (o.machine) return inspect_machine(o.common, o.refresh);
  const auto checkpoint = io::Checkpoint::open(o.model);
  const auto& architecture = model::architecture_of(*checkpoint);
  const model::ModelConfig c = model::config_of(architecture, *checkpoint);
  const model::TensorMap map(architecture, c, *checkpoint);
  const kernels::KvType kv =
      kv_type({.model = o.model, .activations = "", .kv = o.kv, .dtype = ""}, *checkpoint);
  if (o.context < 0) usage_error("--context must not be negative; got {}", o.context);
  const std::int64_t context =
      o.context > 0 ? o.context : std::min<std::int64_t>(c.max_positions, 4096);
  Summary s = summarize(*checkpoint, c, kv, context);
  std::map<std::string, int> schemes;
  for (const model::TensorUnit& unit : map.linears()) {
    const QuantizedTensor tensor = map.load(unit);
    s.parameters += static_cast<std::uint64_t>(tensor.shape.size());
    ++schemes[scheme_name(tensor.scheme)];
    count_bitmap(*checkpoint, unit.base, tensor, s);
  }
  std::string text = fmt::format(
      "{}: {} ({} layers, hidden {}, {} heads, {} key-value heads of {}, MLP {}, vocabulary "
      "{}{})\n",
      checkpoint->path(), c.architecture, c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim,
      c.intermediate, c.vocab, c.tied ? ", tied embeddings" : "");
  text += fmt::format("matrices: {:.2f} M parameters in", static_cast<double>(s.parameters) / 1e6);
  for (const auto& [name, count] : schemes) text += fmt::format(" {} x {}", count, name);
  text += fmt::format("\nweights: {}", human_bytes(s.weights));
  for (const auto& [dtype, value] : s.by_dtype)
    text += fmt::format("; {} tensors {} {}", value.second, dtype, human_bytes(value.first));
  if (const Summary::Bitmaps& b = s.bitmaps; b.matrices > 0)
    text += fmt::format(
        "\nbitmaps: {} matrices, {:.1f} % of their {:.2f} M weights are zero: {} in the files "
        "instead of {}",
        b.matrices, 100 - 100 * static_cast<double>(b.kept) / static_cast<double>(b.weights),
        static_cast<double>(b.weights) / 1e6, human_bytes(b.bytes), human_bytes(b.dense_bytes));
  text += fmt::format("\nkeys and values ({}): {} a token, {} for a context of {}\n",
                      kernels::kv_type_name(kv), human_bytes(s.kv_per_token),
                      human_bytes(s.kv_context), context);
  text += fmt::format("needs about {} to run; this process may use {}: {} such models fit\n",
                      human_bytes(s.need), human_bytes(s.memory), s.memory / s.need);
  print(o.common, text);
  if (o.tensors) print_tensors(o.common, *checkpoint);
  write_json(o.common, to_json(s, c, *checkpoint, kv));
}

}  // namespace

void add_inspect(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("MODEL", o->model,
                  "Hugging Face directory, .gguf file, artefact, or org/name in the local cache");
  verb.add_flag("--machine", o->machine,
                "What this processor is good at, measured and remembered, instead of a model");
  verb.add_flag("--refresh", o->refresh, "With --machine: measure again");
  verb.add_option("--kv", o->kv, "Type of the key-value cache to count with");
  verb.add_option("--context", o->context,
                  "Tokens of context to count with (default: the model's, at most 4096)");
  verb.add_flag("--tensors", o->tensors, "List every tensor");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
