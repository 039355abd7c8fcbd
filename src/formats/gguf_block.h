// GGUF keeps a row as a sequence of equal blocks (ggml's ggml-common.h; the gguf package's
// quants.py). A Block says how one is read, and written where Farthing writes it; this makes the
// row of the table. One part: ".weight", U8 (rows, bytes of a row), as in the file.
#pragma once

#include <array>
#include <cmath>

#include "formats/block_codes.h"
#include "formats/parts.h"
#include "formats/rounding.h"

namespace farthing {

inline float load_half(const std::byte* from) { return to_float(load<Fp16>(from)); }
inline void store_half(std::byte* to, float x) { store(to, 0, to_fp16(x)); }

// struct Block {
//   static constexpr std::string_view kName;     // of the scheme
//   static constexpr int kInputs, kBytes;        // of a block
//   static constexpr int kGroup;                 // inputs that share a scale
//   static constexpr int kBits, kBias;           // weight = scale * (code - bias) + offset
//   static constexpr bool kOffsets, kF16Scales;
//   static constexpr const float* kCodebook;     // or null; weight = scale * codebook[code]
//   // Where scales are small integers times one factor of the block: the bytes at which it lies,
//   // and that of the offsets, which are its negative times small integers.
//   static constexpr int kFactorAt, kMinimumFactorAt;
//   // codes (kInputs), scales and offsets (kInputs / kGroup)
//   static void read(const std::byte* block, std::uint8_t* codes, float* scales, float* offsets);
//   // Only where Farthing writes the type:
//   static void write(std::byte* block, const std::uint8_t* codes, const float* scales,
//                     const float* offsets);
//   static void round(RoundMethod, const float* weights, const float* importance or null,
//                     std::byte* block);
//   // Where BlockCodes names the type; the scales stay:
//   static void write_codes(std::byte* block, const std::uint8_t* codes);
// };
template <class Block>
struct BlockFormat {
  static constexpr int kGroups = Block::kInputs / Block::kGroup;
  static constexpr bool kWritten =
      requires(std::byte* block, const std::uint8_t* codes, const float* numbers) {
        Block::write(block, codes, numbers, numbers);
      };
  static constexpr bool kRounded = requires(RoundMethod method, const float* w, std::byte* block) {
    Block::round(method, w, w, block);
  };

  static constexpr bool kFactored = requires { Block::kFactorAt; };

  static bool holds(const WeightScheme& scheme) { return scheme.block == Block::kName; }

  static std::vector<Part> parts(Shape shape, const WeightScheme&) {
    if (shape.cols % Block::kInputs != 0)
      bad_input("a row in {} is made of whole blocks of {} inputs; the weight is ({}, {})",
                Block::kName, Block::kInputs, shape.rows, shape.cols);
    return {make_part(".weight", "U8", shape.rows, shape.cols / Block::kInputs * Block::kBytes, 1)};
  }

  static const std::byte* row_of(const QuantizedTensor& tensor, std::int64_t row) {
    return tensor.parts[0].view().data() +
           row * (tensor.shape.cols / Block::kInputs * Block::kBytes);
  }
  static std::byte* row_of(QuantizedTensor& tensor, std::int64_t row) {
    return tensor.parts[0].writable().data() +
           row * (tensor.shape.cols / Block::kInputs * Block::kBytes);
  }

  static void dequantize(const QuantizedTensor& tensor, std::int64_t first_row,
                         MatrixView<float> out) {
    std::uint8_t codes[Block::kInputs];
    float scales[kGroups], offsets[kGroups];
    for (std::int64_t r = 0; r < out.rows; ++r) {
      const std::byte* block = row_of(tensor, first_row + r);
      for (std::int64_t j = 0; j < out.cols; j += Block::kInputs, block += Block::kBytes) {
        Block::read(block, codes, scales, offsets);
        float* to = out.row_data(r) + j;
        for (int i = 0; i < Block::kInputs; ++i) {
          const float scale = scales[i / Block::kGroup];
          if constexpr (Block::kCodebook != nullptr)
            to[i] = scale * Block::kCodebook[codes[i]];
          else if constexpr (Block::kOffsets)
            to[i] =
                scale * static_cast<float>(codes[i] - Block::kBias) + offsets[i / Block::kGroup];
          else
            to[i] = scale * static_cast<float>(codes[i] - Block::kBias);
        }
      }
    }
  }

  static void quantize(QuantizedTensor& tensor, std::int64_t first_row,
                       MatrixView<const float> rows, const RoundOptions& options) {
    check_finite(rows, first_row);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      std::byte* block = row_of(tensor, first_row + r);
      for (std::int64_t j = 0; j < rows.cols; j += Block::kInputs, block += Block::kBytes) {
        Block::round(options.method, rows.row_data(r) + j,
                     options.importance.empty() ? nullptr : options.importance.data() + j, block);
        std::uint8_t codes[Block::kInputs];
        float scales[kGroups], offsets[kGroups] = {};
        Block::read(block, codes, scales, offsets);
        for (int g = 0; g < kGroups; ++g)
          if (!std::isfinite(scales[g]) || !std::isfinite(offsets[g]))
            bad_input(
                "the weights of row {} from column {} on are beyond what the FP16 scales of {} "
                "reach: keep the layer in bf16",
                first_row + r, j, Block::kName);
      }
    }
  }

  static Grid grid(const QuantizedTensor&) {
    Grid grid;
    grid.bits = Block::kBits;
    grid.bias = Block::kBias;
    grid.group_size = Block::kGroup;
    grid.has_offsets = Block::kOffsets;
    grid.scales_are_f16 = Block::kF16Scales;
    grid.codebook = Block::kCodebook;
    if constexpr (kFactored) grid.factor_inputs = Block::kInputs;
    return grid;
  }

  static void read_grid(const QuantizedTensor& tensor, std::int64_t row, const GridRow& to) {
    const std::byte* block = row_of(tensor, row);
    float unused[kGroups];
    for (std::int64_t b = 0; b < tensor.shape.cols / Block::kInputs; ++b, block += Block::kBytes) {
      Block::read(block, to.codes.data() + b * Block::kInputs, to.scales.data() + b * kGroups,
                  Block::kOffsets ? to.offsets.data() + b * kGroups : unused);
      if constexpr (kFactored) {
        const auto at = static_cast<std::size_t>(b);
        if (!to.scale_factors.empty()) to.scale_factors[at] = load_half(block + Block::kFactorAt);
        if (Block::kOffsets && !to.offset_factors.empty())
          to.offset_factors[at] = -load_half(block + Block::kMinimumFactorAt);
      }
    }
  }

  static void write_grid(QuantizedTensor& tensor, std::int64_t row, const GridRow& from) {
    std::byte* block = row_of(tensor, row);
    for (std::int64_t b = 0; b < tensor.shape.cols / Block::kInputs; ++b, block += Block::kBytes)
      Block::write(block, from.codes.data() + b * Block::kInputs, from.scales.data() + b * kGroups,
                   Block::kOffsets ? from.offsets.data() + b * kGroups : nullptr);
  }

  static void write_codes(QuantizedTensor& tensor, std::int64_t row,
                          std::span<const std::uint8_t> codes) {
    std::byte* block = row_of(tensor, row);
    for (std::int64_t b = 0; b < tensor.shape.cols / Block::kInputs; ++b, block += Block::kBytes)
      Block::write_codes(block, codes.data() + b * Block::kInputs);
  }

  static BlockCodes codes_row() { return {Block::kName, write_codes}; }

  static Format row() {
    Format format{Block::kName, holds, parts, dequantize, nullptr, grid, read_grid, nullptr};
    format.named =
        WeightScheme{.element = Block::kCodebook != nullptr ? Element::kIq4nl : Element::kInt,
                     .bits = Block::kBits,
                     .strategy = Strategy::kGroup,
                     .group_size = Block::kGroup,
                     .symmetric = !Block::kOffsets,
                     .zero_point = Block::kOffsets ? ZeroPoint::kFloat : ZeroPoint::kNone,
                     .block = Block::kName};
    if constexpr (kRounded) format.quantize = quantize;
    if constexpr (kWritten) format.write_grid = write_grid;
    return format;
  }
};

// 16 bytes hold 32 nibbles: inputs 0 .. 15 below, 16 .. 31 above.
inline void read_nibbles(const std::byte* from, std::uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    const auto both = std::to_integer<std::uint8_t>(from[i]);
    codes[i] = both & 15;
    codes[i + 16] = both >> 4;
  }
}
inline void write_nibbles(std::byte* to, const std::uint8_t* codes) {
  for (int i = 0; i < 16; ++i)
    to[i] = static_cast<std::byte>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

}  // namespace farthing
