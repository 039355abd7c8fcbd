#include "io/imatrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace farthing::io {
namespace {

float number_at(const TensorInfo& tensor, std::size_t i) {
  Cursor cursor(tensor.bytes.subspan(i * sizeof(float), sizeof(float)), tensor.name);
  return cursor.read<float>("a number");
}

}  // namespace

ImportanceMatrix::ImportanceMatrix(const std::string& path) : path_(path), file_(path) {
  const std::string where = printable(path, 400);
  constexpr std::string_view kMagic = "GGUF";
  const ByteSpan bytes = file_.bytes();
  if (bytes.size() < kMagic.size() ||
      !std::equal(kMagic.begin(), kMagic.end(), reinterpret_cast<const char*>(bytes.data())))
    bad_input(
        "{}: must be an importance matrix as GGUF, which llama-imatrix of 2025 and later writes; "
        "make an older one anew, or convert it with llama-imatrix --output-format gguf",
        where);
  content_ = parse_gguf(bytes, where);
  const std::string type = json_text(content_.metadata, "general.type", "", where);
  if (type != "imatrix")
    bad_input("{}: must be an importance matrix (general.type \"imatrix\"); it is {}", where,
              type.empty() ? "a model" : printable(type));
  for (const TensorInfo& tensor : content_.tensors)
    if (tensor.dtype != "F32")
      bad_input("{}: {} must be of type F32; found {}", where, printable(tensor.name),
                tensor.dtype);
}

const TensorInfo* ImportanceMatrix::tensor(const std::string& name) const {
  const auto found = std::ranges::find(content_.tensors, name, &TensorInfo::name);
  return found == content_.tensors.end() ? nullptr : &*found;
}

std::vector<float> ImportanceMatrix::find(std::string_view name, int slice, int slices,
                                          std::int64_t inputs) const {
  const TensorInfo* sums = tensor(std::string(name) + ".in_sum2");
  const TensorInfo* counts = tensor(std::string(name) + ".counts");
  if (sums == nullptr || counts == nullptr) return {};
  const auto width = static_cast<std::size_t>(inputs), count = static_cast<std::size_t>(slices);
  if (sums->bytes.size() != width * count * sizeof(float) ||
      counts->bytes.size() != count * sizeof(float))
    bad_input(
        "{}: {} must have {} inputs of {} matrices, as the model has; found [{}]; was it made with "
        "another model?",
        printable(path_, 400), printable(sums->name), inputs, slices, fmt::join(sums->shape, ", "));
  const float tokens = number_at(*counts, static_cast<std::size_t>(slice));
  if (tokens == 0) return {};
  std::vector<float> mean(width);
  for (std::size_t j = 0; j < width; ++j) {
    mean[j] = number_at(*sums, static_cast<std::size_t>(slice) * width + j) / tokens;
    if (!(mean[j] >= 0) || !std::isfinite(mean[j]))
      bad_input("{}: {} must hold finite numbers of at least 0; found {} for input {}",
                printable(path_, 400), printable(sums->name), mean[j], j);
  }
  return mean;
}

}  // namespace farthing::io
