// How GPTQ (version 2), AWQ (gemm) and compressed-tensors keep a matrix of integers.
// References: GPTQModel's TorchLinear, AutoAWQ's WQLinear_GEMM, compressed-tensors'
// PackedQuantizationCompressor.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/quantized_tensor.h"
#include "io/json.h"
#include "io/planned_safetensors.h"

namespace farthing::convert {

enum class Packer : std::uint8_t { kGptq, kAwq, kPacked };

struct ForeignKind {
  std::string_view name;
  Packer packer = Packer::kGptq;
  std::span<const int> bits;  // what it can hold, ascending
  bool one_scheme = false;    // all modules have the same bits and groups
};
// "gptq", "awq", "compressed-tensors". Error: usage, naming what is known.
const ForeignKind& find_foreign(std::string_view name);

// Why the kind cannot hold a matrix of this shape and scheme; nullopt: it can. The scheme is of
// packed integers (Element::kInt, not plain) with FP16 scales and no float zero points.
std::optional<std::string> why_not(const ForeignKind& kind, Shape shape,
                                   const WeightScheme& scheme);

// The tensors of a matrix, and their bytes in the same order. Error: as Format::parts.
std::vector<io::PlannedTensor> foreign_tensors(const ForeignKind& kind, const std::string& base,
                                               Shape shape, const WeightScheme& scheme);
std::vector<std::vector<std::byte>> foreign_bytes(const ForeignKind& kind,
                                                  const QuantizedTensor& matrix);

// A module of the model: its scheme, or none where it stays in float.
struct ForeignModule {
  std::string base;
  std::optional<WeightScheme> scheme;
};
// quantization_config of config.json. The commonest scheme is the rule, others are exceptions.
Json foreign_config(const ForeignKind& kind, std::span<const ForeignModule> modules,
                    bool all_linears_named);

}  // namespace farthing::convert
