#include "tune/diff.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/artefact.h"
#include "model/tensor_map.h"

namespace farthing::tune {
namespace {

constexpr std::int64_t kRows = 64;  // as floats at a time

struct Side {
  explicit Side(const io::Checkpoint& from)
      : checkpoint(from),
        architecture(model::architecture_of(from)),
        config(model::config_of(architecture, from)),
        map(architecture, config, from) {
    if (const auto text = from.text_file(io::kArtefactFile))
      artefact = io::parse_artefact(*text, printable(from.path(), 400));
  }
  const io::Checkpoint& checkpoint;
  const model::Architecture& architecture;
  model::ModelConfig config;
  model::TensorMap map;
  std::optional<io::Artefact> artefact;

  // Of so many rows of a matrix.
  DiffSide describe(const model::TensorUnit& unit, const QuantizedTensor& tensor,
                    std::int64_t rows) const {
    DiffSide side{.scheme = scheme_name(tensor.scheme),
                  .activations = {},
                  .bytes = tensor.bytes() * static_cast<std::size_t>(rows) /
                           static_cast<std::size_t>(tensor.shape.rows),
                  .error = {}};
    if (const auto fixed = checkpoint.activations(unit.base))
      side.activations = activation_name(fixed->mode);
    if (artefact)
      if (const io::ArtefactLayer* layer = artefact->find(unit.base)) side.error = layer->error;
    return side;
  }
};

// Rows of a matrix.
struct Rows {
  const QuantizedTensor& of;
  std::int64_t first = 0;
};

// Sums of (a - b)^2 and a^2.
std::pair<double, double> squared_distance(Runtime& runtime, Rows a, Rows b, Shape shape) {
  std::vector<std::pair<double, double>> sums(
      static_cast<std::size_t>((shape.rows + kRows - 1) / kRows));
  runtime.parallel(shape.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    Matrix<float> x, y;
    for (std::int64_t first = begin; first < end; first += kRows) {
      const std::int64_t rows = std::min(kRows, end - first);
      const auto p = x.resize(rows, shape.cols), q = y.resize(rows, shape.cols);
      a.of.format->dequantize(a.of, a.first + first, p);
      b.of.format->dequantize(b.of, b.first + first, q);
      auto& [difference, magnitude] = sums[static_cast<std::size_t>(first / kRows)];
      for (std::int64_t i = 0; i < rows * shape.cols; ++i) {
        const double d = static_cast<double>(p.data[i]) - static_cast<double>(q.data[i]);
        difference += d * d;
        magnitude += static_cast<double>(p.data[i]) * static_cast<double>(p.data[i]);
      }
    }
  });
  std::pair<double, double> all;
  for (const auto& [difference, magnitude] : sums) all.first += difference, all.second += magnitude;
  return all;
}

std::uint64_t all_bytes(const io::Checkpoint& checkpoint) {
  std::uint64_t sum = 0;
  for (const io::TensorInfo& tensor : checkpoint.tensors()) sum += tensor.bytes.size();
  return sum;
}

// Norms and biases: all that is one row and no part of a matrix.
std::vector<std::string> changed_vectors(const Side& a, const Side& b) {
  std::vector<std::string> changed;
  for (const io::TensorInfo& tensor : a.checkpoint.tensors()) {
    const bool is_vector = tensor.shape.size() == 1 &&
                           (tensor.name.ends_with("norm.weight") || tensor.name.ends_with(".bias"));
    if (!is_vector) continue;
    const io::TensorInfo* other = b.checkpoint.find(tensor.name);
    if (other == nullptr || other->dtype != tensor.dtype ||
        !std::ranges::equal(other->bytes, tensor.bytes))
      changed.push_back(tensor.name);
  }
  return changed;
}

// Those in parts once.
std::int64_t count_matrices(const std::vector<model::TensorUnit>& units) {
  return std::ranges::count_if(units, [](const model::TensorUnit& unit) { return unit.part <= 0; });
}

}  // namespace

Diff compare_models(Runtime& runtime, const io::Checkpoint& a, const io::Checkpoint& b,
                    Progress& progress) {
  const Side one(a), two(b);
  const auto units = one.map.linears(), others = two.map.linears();
  if (count_matrices(units) != count_matrices(others))
    bad_input("{} has {} matrices and {} has {}; only models of one architecture can be compared",
              printable(a.path(), 400), count_matrices(units), printable(b.path(), 400),
              count_matrices(others));
  Diff diff{.layers = {},
            .changed_vectors = changed_vectors(one, two),
            .bytes_a = all_bytes(a),
            .bytes_b = all_bytes(b)};
  // Where one model has parts of rows and the other the whole, the walk goes by the parts.
  std::size_t i = 0, j = 0;
  std::int64_t first_a = 0, first_b = 0;
  while (i < units.size() && j < others.size()) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    const QuantizedTensor x = one.map.load(units[i]), y = two.map.load(others[j]);
    const bool parts = units[i].part >= 0 || others[j].part >= 0;
    const bool alike =
        parts ? units[i].slot == others[j].slot : x.shape.rows == y.shape.rows;
    if (x.shape.cols != y.shape.cols || !alike)
      bad_input("{} is {} x {} in {} and {} x {} in {}; only models of one shape can be compared",
                printable(units[i].base), x.shape.rows, x.shape.cols, printable(a.path(), 400),
                y.shape.rows, y.shape.cols, printable(b.path(), 400));
    const Shape shape{std::min(x.shape.rows - first_a, y.shape.rows - first_b), x.shape.cols};
    const auto [difference, magnitude] =
        squared_distance(runtime, {x, first_a}, {y, first_b}, shape);
    const double distance = magnitude > 0 ? difference / magnitude : 0;
    const std::string& name = others[j].part >= 0 ? others[j].base : units[i].base;
    if (diff.layers.empty() || diff.layers.back().name != name)
      diff.layers.push_back({.name = name,
                             .a = one.describe(units[i], x, shape.rows),
                             .b = two.describe(others[j], y, shape.rows),
                             .distance = distance});
    else  // a further expert of one tensor: the worst of them counts
      diff.layers.back().distance = std::max(diff.layers.back().distance, distance);
    a.release(x);
    b.release(y);
    first_a += shape.rows, first_b += shape.rows;
    if (first_a == x.shape.rows) first_a = 0, ++i;
    if (first_b == y.shape.rows) first_b = 0, ++j;
    progress.update("matrices", static_cast<std::int64_t>(i), std::ssize(units));
  }
  if (i < units.size() || j < others.size())
    bad_input("{} and {} have other numbers of rows; only models of one shape can be compared",
              printable(a.path(), 400), printable(b.path(), 400));
  return diff;
}

}  // namespace farthing::tune
