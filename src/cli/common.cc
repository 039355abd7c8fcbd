#include "cli/common.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/error.h"
#include "core/text.h"
#include "io/artefact.h"
#include "kernels/self_test.h"

namespace farthing::cli {
namespace {

volatile sig_atomic_t g_interrupted = 0;
extern "C" void on_interrupt(int) {
  if (g_interrupted != 0) _exit(130);  // the second Ctrl-C does not wait
  g_interrupted = 1;
}

class TerminalProgress final : public Progress {
 public:
  explicit TerminalProgress(bool quiet)
      : bar_(!quiet && isatty(STDERR_FILENO) != 0), quiet_(quiet) {}
  ~TerminalProgress() override { erase(); }

  void update(std::string_view what, std::int64_t done, std::int64_t total) override {
    if (!bar_) return;
    const auto now = Clock::now();
    if (what != what_) what_ = what, start_ = now, start_done_ = done;
    if (done < total && now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
    std::string left;
    if (done > start_done_ && done < total)
      left = fmt::format(", {:.0f} s left", elapsed * static_cast<double>(total - done) /
                                                static_cast<double>(done - start_done_));
    const int filled = static_cast<int>(fraction * 30);
    fmt::print(stderr, "\r\x1b[K[{}{}] {} of {} {}{}",
               std::string(static_cast<std::size_t>(filled), '#'),
               std::string(static_cast<std::size_t>(30 - filled), '.'), done, total, what, left);
    std::fflush(stderr);
    shown_ = true;
    if (done >= total) erase();
  }
  void note(std::string_view line) override {
    if (quiet_) return;
    erase();
    fmt::print(stderr, "{}\n", line);
  }
  bool cancelled() const override { return interrupted(); }

 private:
  using Clock = std::chrono::steady_clock;
  void erase() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
    shown_ = false;
  }
  bool bar_, quiet_, shown_ = false;
  std::string what_;
  Clock::time_point start_, drawn_;
  std::int64_t start_done_ = 0;
};

}  // namespace

void add_common(VerbOptions& verb, Common& common) {
  verb.add_option("--threads", common.threads, "Threads (default: the cores this process may use)");
  verb.add_option("--isa", common.isa, "Force an instruction set (also FARTHING_ISA)");
  verb.add_option("--json", common.json,
                  "Write the result as JSON to this file, or - for standard output");
  verb.add_flag("--quiet", common.quiet, "No notes and no progress");
}

std::unique_ptr<Runtime> make_runtime(const Common& common) {
  const int allowed = machine_limits().threads;
  if (common.threads < 0 || common.threads > allowed)
    usage_error("--threads must be from 1 to {}, the cores this process may use; got {}", allowed,
                common.threads);
  const char* environment = std::getenv("FARTHING_ISA");
  const std::string isa = !common.isa.empty()      ? common.isa
                          : environment != nullptr ? environment
                                                   : "";
  const auto warn = [](std::string_view sentence) { fmt::print(stderr, "note: {}\n", sentence); };
  return std::make_unique<Runtime>(common.threads == 0 ? allowed : common.threads,
                                   kernels::self_tested(choose_isas(isa, isas_here()), warn));
}

std::unique_ptr<Progress> make_progress(const Common& common) {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  return std::make_unique<TerminalProgress>(common.quiet);
}

bool interrupted() { return g_interrupted != 0; }
void clear_interrupt() { g_interrupted = 0; }
void check_interrupt() {
  if (interrupted()) throw Error(Fault::kInterrupted, "interrupted");
}

void write_json(const Common& common, const Json& result) {
  if (common.json.empty()) return;
  const std::string text = result.dump(1) + "\n";
  if (common.json == "-") {
    fmt::print("{}", text);
    return;
  }
  std::ofstream file(common.json, std::ios::binary);
  file << text;
  file.close();
  if (!file) bad_input("--json {}: cannot be written", common.json);
}

void print(const Common& common, const std::string& text) {
  if (common.json != "-") fmt::print("{}", text);
}

std::vector<cache::Token> parse_tokens(const std::string& text) {
  std::vector<cache::Token> tokens;
  for (const std::string& field : split(text, ',')) {
    cache::Token token = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), token);
    if (error != std::errc{} || end != field.data() + field.size() || token < 0)
      usage_error("--tokens must be token ids separated by commas, as in 1,5,9; got \"{}\"",
                  printable(field));
    tokens.push_back(token);
  }
  return tokens;
}

void add_model_options(VerbOptions& verb, ModelOptions& options) {
  verb.add_option("MODEL", options.model,
                  "Hugging Face directory, .gguf file, artefact, or org/name in the local cache")
      ->required();
  verb.add_option("--activations", options.activations,
                  "Activation mode of every linear: fp32, bf16, int16 or int8, which leaves a "
                  "float head or router as it is (default: the artefact's)");
  verb.add_option("--kv", options.kv,
                  "Type of the key-value cache: fp32, bf16, fp16, int8 or int4");
  verb.add_option("--dtype", options.dtype,
                  "Run float weights as fp32, bf16 or fp16 (default: as stored)");
  verb.add_flag("--stream", options.streamed, "Keep only one block of weights in memory");
}

model::LoadOptions load_options(const ModelOptions& options) {
  model::LoadOptions load;
  if (!options.activations.empty()) load.activations = parse_activation_mode(options.activations);
  if (!options.dtype.empty()) {
    const WeightScheme scheme = parse_scheme(options.dtype).weights;
    if (scheme.element != Element::kF32 && scheme.element != Element::kBf16 &&
        scheme.element != Element::kF16)
      usage_error("--dtype must be fp32, bf16 or fp16; got {}", options.dtype);
    load.float_weights = scheme.element;
  }
  return load;
}

kernels::KvType kv_type(const ModelOptions& options, const io::Checkpoint& checkpoint) {
  if (!options.kv.empty()) return kernels::parse_kv_type(options.kv);
  if (const auto text = checkpoint.text_file(io::kArtefactFile))
    if (const std::string kv = io::parse_artefact(*text, io::kArtefactFile).kv; !kv.empty())
      return kernels::parse_kv_type(kv);
  const bool compressed =
      checkpoint.is_gguf() || json_find(checkpoint.config(), "quantization_config") != nullptr;
  return compressed ? kernels::KvType::kF16 : kernels::KvType::kF32;
}

LoadedModel load_model(Runtime& runtime, const ModelOptions& options) {
  LoadedModel loaded;
  const model::LoadOptions load = load_options(options);
  if (!options.kv.empty()) kernels::parse_kv_type(options.kv);  // before any file is opened
  loaded.checkpoint = io::Checkpoint::open(options.model);
  loaded.kv = kv_type(options, *loaded.checkpoint);
  loaded.model = model::Model::load(runtime, *loaded.checkpoint, load, options.streamed);
  return loaded;
}

}  // namespace farthing::cli
