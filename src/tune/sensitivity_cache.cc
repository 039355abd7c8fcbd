#include <chrono>
#include <filesystem>

#include "core/error.h"
#include "io/durable_file.h"
#include "tune/sensitivity.h"

namespace farthing::tune {
namespace {

constexpr JsonLimits kLimits{.bytes = 256u << 20, .depth = 8, .values = 8'000'000};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A number of the cache that can be one: nothing else comes into the table.
double number(const Json& entry, std::string_view key) {
  const double value = json_number(entry, key, 0.0, "sensitivity");
  if (!(value > -1e9 && value < 1e9)) bad_input("sensitivity: {} is out of range", key);
  return value;
}

Json entry_json(const Entry& entry) {
  Json json = {{"error", entry.output_error}};
  if (!entry.measured) return json;
  json["kld"] = entry.shift.kld;
  json["kld_stderr"] = entry.shift.stderr_of_kld;
  json["nll"] = entry.shift.nll_increase;
  json["nll_stderr"] = entry.shift.stderr_of_nll;
  json["top1"] = entry.shift.top1_agreement;
  return json;
}

}  // namespace

SensitivityCache::SensitivityCache(std::string path, std::string key)
    : path_(std::move(path)), key_(std::move(key)) {
  std::error_code ignored;
  if (path_.empty() || !std::filesystem::is_regular_file(path_, ignored)) return;
  try {
    const Json json = read_json_file(path_, kLimits);
    if (!json.is_object() || json_int(json, "schema", path_) != 1 ||
        json_text(json, "key", path_) != key_)
      return;
    const Json* units = json_find(json, "units");
    if (units != nullptr && units->is_object()) units_ = *units;
  } catch (const Error&) {
    units_ = Json::object();  // measured again
  }
}

void SensitivityCache::restore(Sensitivity& table) const {
  const Space& space = table.space();
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    const Unit& unit = space.units()[u];
    const Json* row = json_find(units_, unit.name);
    if (row == nullptr || !row->is_object()) continue;
    for (std::size_t a = 0; a < space.alternatives(unit).size(); ++a) {
      const Json* entry = json_find(*row, space.alternatives(unit)[a].name);
      if (entry == nullptr || !entry->is_object() || !table.at({u, a}).offered) continue;
      try {
        const double error = number(*entry, "error"), kld = number(*entry, "kld");
        if (error < 0 || kld < 0) continue;
        table.set_output_error({u, a}, error);
        if (json_find(*entry, "kld") == nullptr) continue;
        table.set_measured({u, a}, {.kld = kld,
                                    .stderr_of_kld = number(*entry, "kld_stderr"),
                                    .nll_increase = number(*entry, "nll"),
                                    .stderr_of_nll = number(*entry, "nll_stderr"),
                                    .top1_agreement = number(*entry, "top1")});
      } catch (const Error&) {
        continue;  // measured again
      }
    }
  }
}

void SensitivityCache::put(const Sensitivity& table, const Swap& swap) {
  const Unit& unit = table.space().units()[swap.unit];
  units_[unit.name][table.space().alternative(swap).name] = entry_json(table.at(swap));
  dirty_ = true;
}

void SensitivityCache::save_now_and_then() {
  if (now() - saved_at_ > 1) save();
}

void SensitivityCache::save() {
  if (path_.empty() || !dirty_) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const Json json = {{"schema", 1}, {"key", key_}, {"units", units_}};
  io::write_durably(path_, json.dump(1) + "\n");
  dirty_ = false;
  saved_at_ = now();
}

}  // namespace farthing::tune
