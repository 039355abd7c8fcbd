// The table of steps, and the methods of the command line.
#include <algorithm>
#include <array>

#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

// --method NAME: a step, perhaps with one option.
struct Method {
  std::string_view name, step, key, value;
};
constexpr std::array kMethods = {
    Method{"rtn", "rtn", "", ""},
    Method{"search", "rtn", "range", "search"},
    Method{"shrink", "rtn", "range", "shrink"},
    Method{"minmax", "rtn", "range", "minmax"},
    Method{"hqq", "hqq", "", ""},
    Method{"gptq", "gptq", "", ""},
};

std::vector<std::string_view> step_names() {
  std::vector<std::string_view> names;
  for (const StepRow& row : step_table()) names.push_back(row.name);
  return names;
}

const StepRow& find_step(const StepSetting& setting) {
  for (const StepRow& row : step_table())
    if (row.name == setting.name) return row;
  const auto names = step_names();
  const std::string nearest = nearest_name(setting.name, names);
  bad_input("{}: unknown step \"{}\"; known: {}{}", setting.where, printable(setting.name),
            join(names, ", "), nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

}  // namespace

std::span<const StepRow> step_table() {
  static const std::array kTable = {round_to_nearest_step(), hqq_step(), gptq_step()};
  return kTable;
}

std::vector<std::unique_ptr<Step>> make_steps(Recipe& recipe) {
  std::vector<std::unique_ptr<Step>> steps;
  const StepSetting* rounding = nullptr;
  for (const StepSetting& setting : recipe.steps) {
    const StepRow& row = find_step(setting);
    if (setting.options.kind == Setting::Kind::kMap)
      check_keys(setting.options, "step " + setting.name, row.keys);
    if (row.rounds && rounding != nullptr)
      bad_input("{}: {} rounds the weights that {} has rounded already; keep one of them",
                setting.where, setting.name, rounding->name);
    if (row.rounds) rounding = &setting;
    steps.push_back(row.make(setting.options));
  }
  if (rounding == nullptr) {
    recipe.steps.push_back({"rtn", {}, "the default"});
    steps.push_back(find_step(recipe.steps.back()).make({}));
  }
  return steps;
}

StepSetting step_of_method(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Method& method : kMethods) {
    names.push_back(method.name);
    if (method.name != name) continue;
    StepSetting setting{std::string(method.step), {}, "--method"};
    if (!method.key.empty()) {
      setting.options.kind = Setting::Kind::kMap;
      setting.options.members.emplace_back(method.key,
                                           scalar_setting(std::string(method.value), "--method"));
    }
    return setting;
  }
  usage_error("--method: unknown method \"{}\"; known: {}", printable(name), join(names, ", "));
}

}  // namespace farthing::compress
