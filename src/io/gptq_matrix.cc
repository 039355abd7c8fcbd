#include "io/gptq_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "formats/packing.h"
#include "formats/parts.h"
#include "io/input_order.h"

namespace farthing::io {
namespace {

using Codes = std::vector<std::uint8_t>;

class Reader {
 public:
  Reader(const Checkpoint& checkpoint, const QuantizationConfig& config, std::string_view base,
         std::string_view where)
      : checkpoint_(checkpoint),
        config_(config),
        base_(base),
        where_(where),
        what_(fmt::format("{}: {}", where, printable(base))),
        awq_(config.method() == QuantMethod::kAwq) {}

  QuantizedTensor read() {
    const auto found = config_.find(base_);
    if (!found)
      bad_input("{}: is compressed in the files, but quantization_config does not cover it", what_);
    scheme_ = found->weights;
    find_shape();
    read_zeros();
    QuantizedTensor made = allocate_tensor(shape_, scheme_);
    fill_codes(made);
    fill_scales(made);
    if (!scheme_.symmetric) fill_zeros(made);
    return made;
  }

 private:
  const TensorInfo& need(std::string_view suffix) const {
    const TensorInfo* tensor = checkpoint_.find(base_ + std::string(suffix));
    if (tensor == nullptr)
      bad_input("{}: is compressed, but has no {}; is the checkpoint complete?", what_, suffix);
    return *tensor;
  }
  // Error: bad input, unless the part has this dtype and shape.
  const TensorInfo& need(std::string_view suffix, std::string_view dtype, std::int64_t rows,
                         std::int64_t cols) const {
    const TensorInfo& tensor = need(suffix);
    if (tensor.dtype != dtype || tensor.shape != std::vector<std::int64_t>{rows, cols})
      bad_input(
          "{}{} must be {} of shape [{}, {}] by config.json ({} bits, groups of {}); found {} of "
          "shape [{}]",
          what_, suffix, dtype, rows, cols, scheme_.bits, group_text(), tensor.dtype,
          fmt::join(tensor.shape, ", "));
    return tensor;
  }
  std::string group_text() const {
    return scheme_.strategy == Strategy::kGroup ? std::to_string(scheme_.group_size) : "a row";
  }
  std::int64_t in() const { return shape_.cols; }
  std::int64_t out() const { return shape_.rows; }
  std::int64_t groups() const { return groups_of(scheme_, in()); }

  void find_shape() {
    const TensorInfo& words = need(".qweight");
    if (words.dtype != "I32" || words.shape.size() != 2 || words.shape[0] < 1 || words.shape[1] < 1)
      bad_input("{}.qweight must be a matrix of I32 words; found {} of shape [{}]", what_,
                words.dtype, fmt::join(words.shape, ", "));
    const std::int64_t bits = scheme_.bits;
    shape_ = awq_ ? Shape{words.shape[1] * 8, words.shape[0]}
                  : Shape{words.shape[1], words.shape[0] * 32 / bits};
    if (out() * bits % 32 != 0 || (!awq_ && words.shape[0] * 32 % bits != 0))
      bad_input(
          "{}.qweight of shape [{}] is no matrix of {} bits: rows and columns must fill whole "
          "words "
          "of 32 bits",
          what_, fmt::join(words.shape, ", "), bits);
    if (scheme_.strategy == Strategy::kGroup && scheme_.group_size >= in())
      scheme_.strategy = Strategy::kChannel, scheme_.group_size = 0;
    if (scheme_.strategy == Strategy::kGroup && in() % scheme_.group_size != 0)
      bad_input("{}: groups of {} inputs must divide a row, which has {}", what_,
                scheme_.group_size, in());
    const std::string& dtype = need(".scales").dtype;
    if (dtype != "F16" && dtype != "BF16" && dtype != "F32")
      unsupported("{}.scales must be F16, BF16 or F32; found {}", what_, dtype);
    scheme_.scale = dtype == "F16"    ? ScaleType::kF16
                    : dtype == "BF16" ? ScaleType::kBf16
                                      : ScaleType::kF32;
    need(".scales", dtype, groups(), out());
    order_ = input_order(checkpoint_, base_, in(), scheme_.group_size, where_);
  }

  // zeros_ (groups, out). AWQ without zero points may leave them out: the middle of the grid.
  void read_zeros() {
    const int middle = 1 << (scheme_.bits - 1);
    zeros_.assign(index(groups() * out()), static_cast<std::uint8_t>(middle));
    const bool absent = checkpoint_.find(base_ + ".qzeros") == nullptr;
    if (!(awq_ && scheme_.symmetric && absent)) {
      const std::int64_t words = out() * scheme_.bits / 32;
      const TensorInfo& packed = need(".qzeros", "I32", groups(), words);
      for (std::int64_t g = 0; g < groups(); ++g) {
        const std::span<std::uint8_t> row(zeros_.data() + g * out(), index(out()));
        unpack_bits(packed.bytes.data() + g * words * 4, scheme_.bits, row);
        if (awq_) untangle(row);
      }
      if (!awq_) settle_version();
    }
    scheme_.symmetric = std::ranges::all_of(zeros_, [&](int zero) { return zero == middle; });
    scheme_.zero_point = scheme_.symmetric ? ZeroPoint::kNone : ZeroPoint::kInteger;
  }

  // Version 1 keeps zero points less one, modulo the grid. A checkpoint that calls itself symmetric
  // has the middle of the grid everywhere, which tells the version.
  void settle_version() {
    const int mask = (1 << scheme_.bits) - 1, middle = 1 << (scheme_.bits - 1);
    const auto all_are = [&](int wanted) {
      return std::ranges::all_of(zeros_, [&](int zero) { return zero == wanted; });
    };
    bool less_one = config_.zeros_less_one();
    if (scheme_.symmetric && all_are(less_one ? middle : middle - 1)) {
      if (config_.says_version())
        bad_input(
            "{}: config.json says checkpoint_format {}, but the zero points are those of the other "
            "version; correct checkpoint_format",
            what_, less_one ? "gptq" : "gptq_v2");
      less_one = !less_one;
    }
    if (less_one)
      for (std::uint8_t& zero : zeros_) zero = static_cast<std::uint8_t>((zero + 1) & mask);
  }

  static void untangle(std::span<std::uint8_t> codes) {
    for (std::size_t i = 0; i + 8 <= codes.size(); i += 8) {
      std::uint8_t word[8];
      for (std::size_t j = 0; j < 8; ++j) word[kAwqOrder[j]] = codes[i + j];
      std::copy(word, word + 8, codes.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Outputs of a cache line at a time: their codes lie side by side in the file.
  static constexpr std::int64_t kOutputs = 16;

  void fill_codes(QuantizedTensor& made) const {
    const TensorInfo& words = need(".qweight");
    std::vector<Codes> rows(kOutputs, Codes(index(in())));
    Codes sorted(index(in()));
    for (std::int64_t first = 0; first < out(); first += kOutputs) {
      const std::int64_t count = std::min(kOutputs, out() - first);
      if (awq_)
        gather_awq(words.bytes.data(), first, count, rows);
      else
        gather_gptq(words.bytes.data(), first, count, rows);
      for (std::int64_t o = 0; o < count; ++o) {
        const Codes& row = rows[index(o)];
        for (std::size_t j = 0; j < order_.size(); ++j)
          sorted[j] = row[static_cast<std::size_t>(order_[j])];
        const std::int64_t bytes = in() * scheme_.bits;  // bits, for now
        pack_bits(order_.empty() ? row : sorted, scheme_.bits,
                  made.parts[0].writable().data() + (first + o) * ((bytes + 31) / 32 * 4));
      }
    }
  }

  void gather_gptq(const std::byte* words, std::int64_t first, std::int64_t count,
                   std::vector<Codes>& rows) const {
    const std::int64_t length = in() * scheme_.bits / 32;
    std::vector<std::vector<std::uint32_t>> streams(index(count),
                                                    std::vector<std::uint32_t>(index(length)));
    for (std::int64_t w = 0; w < length; ++w)
      for (std::int64_t o = 0; o < count; ++o)
        streams[index(o)][index(w)] = load<std::uint32_t>(words, w * out() + first + o);
    for (std::int64_t o = 0; o < count; ++o)
      unpack_bits(reinterpret_cast<const std::byte*>(streams[index(o)].data()), scheme_.bits,
                  rows[index(o)]);
  }

  void gather_awq(const std::byte* words, std::int64_t first, std::int64_t count,
                  std::vector<Codes>& rows) const {
    for (std::int64_t j = 0; j < in(); ++j)
      for (std::int64_t word = 0; word < count / 8; ++word) {
        const auto eight = load<std::uint32_t>(words, j * (out() / 8) + first / 8 + word);
        for (std::int64_t i = 0; i < 8; ++i)
          rows[index(word * 8 + kAwqOrder[i])][index(j)] =
              static_cast<std::uint8_t>(eight >> (4 * i) & 15u);
      }
  }

  void fill_scales(QuantizedTensor& made) const {
    const TensorInfo& scales = need(".scales");
    const Bytes stored = Bytes::borrow(scales.bytes);
    for (std::int64_t g = 0; g < groups(); ++g)
      for (std::int64_t o = 0; o < out(); ++o) {
        const float scale = load_scale(stored, g * out() + o, scheme_.scale);
        if (!std::isfinite(scale))
          bad_input("{}.scales must be finite numbers; group {} of output {} has {}", what_, g, o,
                    scale);
        store_scale(made.parts[1], o * groups() + g, scheme_.scale, scale);
      }
  }

  // Down the rows, as int_packed has them.
  void fill_zeros(QuantizedTensor& made) const {
    const std::int64_t words = (out() * scheme_.bits + 31) / 32;
    std::vector<std::uint32_t> packed(index(words));
    for (std::int64_t g = 0; g < groups(); ++g) {
      std::ranges::fill(packed, 0u);
      pack_bits({zeros_.data() + g * out(), index(out())}, scheme_.bits,
                reinterpret_cast<std::byte*>(packed.data()));
      for (std::int64_t w = 0; w < words; ++w)
        store(made.parts[2].writable().data(), w * groups() + g, packed[index(w)]);
    }
  }

  const Checkpoint& checkpoint_;
  const QuantizationConfig& config_;
  std::string base_, where_, what_;
  bool awq_;
  WeightScheme scheme_;
  Shape shape_;
  std::vector<std::int32_t> order_;
  Codes zeros_;
};

}  // namespace

std::optional<QuantizedTensor> gptq_matrix(const Checkpoint& checkpoint,
                                           const QuantizationConfig& config, std::string_view base,
                                           std::string_view where) {
  if (checkpoint.find(std::string(base) + ".qweight") == nullptr) return std::nullopt;
  return Reader(checkpoint, config, base, where).read();
}

}  // namespace farthing::io
