#include "compress/row_parts.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

void take_rows(const io::TensorInfo& whole, const RowCuts& cuts, io::DerivedCheckpoint& made) {
  const std::int64_t all = whole.shape.empty() ? 0 : whole.shape[0];
  if (cuts.at.back() >= all)
    bad_input("{}: {} has {} rows and cannot be cut at row {}", printable(made.path(), 400),
              printable(whole.name), all, cuts.at.back());
  const std::size_t row_bytes = whole.bytes.size() / static_cast<std::size_t>(all);
  const std::string& base = cuts.unit.base;
  for (std::size_t part = 0; part <= cuts.at.size(); ++part) {
    const std::int64_t first = part == 0 ? 0 : cuts.at[part - 1];
    const std::int64_t last = part == cuts.at.size() ? all : cuts.at[part];
    io::TensorInfo rows = whole;
    rows.shape[0] = last - first;
    rows.bytes = whole.bytes.subspan(static_cast<std::size_t>(first) * row_bytes,
                                     static_cast<std::size_t>(last - first) * row_bytes);
    made.take(rows,
              model::part_name(base, static_cast<int>(part)) + whole.name.substr(base.size()));
  }
}

}  // namespace

void take_in_parts(const io::Checkpoint& below, const std::vector<RowCuts>& cuts,
                   const std::string& dropped, io::DerivedCheckpoint& made) {
  for (const RowCuts& cut : cuts)
    if (cut.unit.row->transposed)
      unsupported("{}: {} is stored as (in, out), so that its rows cannot lie in parts",
                  printable(below.path(), 400), printable(cut.unit.base));
  for (const io::TensorInfo& tensor : below.tensors()) {
    const auto cut = std::ranges::find_if(cuts, [&](const RowCuts& one) {
      return tensor.name == one.unit.base + ".weight" || tensor.name == one.unit.base + ".bias";
    });
    if (cut != cuts.end() && !cut->at.empty())
      take_rows(tensor, *cut, made);
    else if (tensor.name != dropped)
      made.take(tensor, tensor.name);
  }
}

}  // namespace farthing::compress
