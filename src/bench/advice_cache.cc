#include <fmt/core.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "bench/advice.h"
#include "core/error.h"
#include "core/text.h"
#include "io/durable_file.h"

namespace farthing::bench {
namespace {

constexpr JsonLimits kLimits{.bytes = 1 << 16, .depth = 8, .values = 4096};
constexpr std::size_t kMostRows = 256;

const Json& list_of(const Json& json, std::string_view key) {
  const Json* list = json_find(json, key);
  if (list == nullptr || !list->is_array() || list->size() > kMostRows)
    bad_input("{} must be an array of at most {} rows", key, kMostRows);
  for (const Json& row : *list)
    if (!row.is_object()) bad_input("{} must hold objects", key);
  return *list;
}

double speed(const Json& object, std::string_view key) {
  const double value = json_number(object, key, "advice");
  if (!(value >= 0 && value < 1e12)) bad_input("{} must be a speed; found {}", key, value);
  return value;
}

std::string name(const Json& object, std::string_view key) {
  return printable(json_text(object, key, "advice"), 200);
}

}  // namespace

Json advice_json(const Advice& advice) {
  Json precisions = Json::array(), worths = Json::array();
  for (const Precision& p : advice.precisions)
    precisions.push_back(
        {{"name", p.name}, {"native", p.native}, {"method", p.method}, {"gop_s", p.gop_s}});
  for (const Worth& w : advice.worths)
    worths.push_back({{"scheme", w.scheme},
                      {"activations", w.activations},
                      {"kernel", w.kernel},
                      {"bits", w.bits},
                      {"decode", w.decode},
                      {"prefill", w.prefill},
                      {"decode_share", w.decode_share},
                      {"prefill_share", w.prefill_share}});
  return {{"schema", 1},
          {"version", FARTHING_VERSION},
          {"program", advice.program},
          {"cpu", advice.cpu},
          {"isas", advice.isas},
          {"threads", advice.threads},
          {"read_gb_s", advice.read_gb_s},
          {"precisions", precisions},
          {"worths", worths}};
}

Advice advice_from(const Json& json) {
  if (!json.is_object() || json_int(json, "schema", "advice") != 1 ||
      json_text(json, "version", "advice") != FARTHING_VERSION)
    bad_input("advice must have schema 1 and version {}", FARTHING_VERSION);
  const std::int64_t threads = json_int(json, "threads", "advice");
  if (threads < 1 || threads > 1 << 16) bad_input("threads must be a number of threads");
  Advice advice{.cpu = name(json, "cpu"),
                .isas = name(json, "isas"),
                .program = name(json, "program"),
                .threads = static_cast<int>(threads),
                .read_gb_s = speed(json, "read_gb_s"),
                .precisions = {},
                .worths = {}};
  for (const Json& p : list_of(json, "precisions"))
    advice.precisions.push_back({.name = name(p, "name"),
                                 .native = json_bool(p, "native", false, "advice"),
                                 .method = name(p, "method"),
                                 .gop_s = speed(p, "gop_s")});
  for (const Json& w : list_of(json, "worths"))
    advice.worths.push_back({.scheme = name(w, "scheme"),
                             .activations = name(w, "activations"),
                             .kernel = name(w, "kernel"),
                             .bits = speed(w, "bits"),
                             .decode = speed(w, "decode"),
                             .prefill = speed(w, "prefill"),
                             .decode_share = speed(w, "decode_share"),
                             .prefill_share = speed(w, "prefill_share")});
  return advice;
}

std::string advice_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/farthing/machine.json";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/farthing/machine.json";
  return "";
}

std::string program_name() {
  struct stat status{};
  if (stat("/proc/self/exe", &status) != 0) return "unknown";
  return fmt::format("{} bytes of {}.{:09}", status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::optional<Advice> remembered_advice(const std::string& path, const Runtime& runtime) {
  std::error_code error;
  if (path.empty() || !std::filesystem::is_regular_file(path, error)) return std::nullopt;
  try {
    Advice advice = advice_from(read_json_file(path, kLimits));
    const bool ours = advice.cpu == machine_limits().cpu_name &&
                      advice.isas == runtime.isas.names() &&
                      advice.threads == runtime.pool.size() && advice.program == program_name();
    return ours ? std::optional(std::move(advice)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // measured again
  }
}

void remember_advice(const std::string& path, const Advice& advice) {
  if (path.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  try {
    io::write_durably(path, advice_json(advice).dump(1) + "\n");
  } catch (const Error&) {
    // A read-only home: the next call measures again.
  }
}

}  // namespace farthing::bench
