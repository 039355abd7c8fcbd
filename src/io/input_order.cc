#include "io/input_order.h"

#include <fmt/format.h>

#include "core/text.h"
#include "formats/parts.h"

namespace farthing::io {
namespace {

const TensorInfo* find_groups(const Checkpoint& checkpoint, std::string_view base) {
  const TensorInfo* found = checkpoint.find(std::string(base) + ".g_idx");
  return found != nullptr ? found : checkpoint.find(std::string(base) + ".weight_g_idx");
}

}  // namespace

bool has_input_order(const Checkpoint& checkpoint, std::string_view base) {
  return find_groups(checkpoint, base) != nullptr;
}

std::vector<std::int32_t> input_order(const Checkpoint& checkpoint, std::string_view base,
                                      std::int64_t inputs, std::int64_t group_size,
                                      std::string_view where) {
  const TensorInfo* tensor = find_groups(checkpoint, base);
  if (tensor == nullptr || group_size <= 0 || group_size >= inputs) return {};  // one group a row
  const std::string what = fmt::format("{}: {}", where, printable(tensor->name));
  if (tensor->dtype != "I32" || tensor->shape != std::vector<std::int64_t>{inputs})
    bad_input("{}: must be I32 of shape [{}], a group for each input; found {} of shape [{}]", what,
              inputs, tensor->dtype, fmt::join(tensor->shape, ", "));
  const std::int64_t groups = inputs / group_size;
  std::vector<std::int64_t> filled(index(groups), 0);
  std::vector<std::int32_t> order(index(inputs), -1);
  bool as_is = true, untold = true;
  for (std::int64_t j = 0; j < inputs; ++j) {
    const auto group = load<std::int32_t>(tensor->bytes.data(), j);
    if (group < -1 || group >= groups)
      bad_input("{}: input {} is in group {}; groups run from 0 to {}", what, j, group, groups - 1);
    untold = untold && group == -1;  // compressed-tensors: as they come
    if (group == -1) continue;
    const std::int64_t place = filled[index(group)]++;
    if (place >= group_size)
      bad_input("{}: more than {} inputs are in group {}; all groups must have as many", what,
                group_size, group);
    order[index(group * group_size + place)] = static_cast<std::int32_t>(j);
    as_is = as_is && group * group_size + place == j;
  }
  if (untold) return {};
  for (const std::int32_t input : order)
    if (input < 0) bad_input("{}: some inputs are in no group (-1), others are", what);
  return as_is ? std::vector<std::int32_t>() : order;
}

}  // namespace farthing::io
