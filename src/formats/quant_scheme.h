// A quantisation scheme is pure data, in the words of compressed-tensors where it has one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace farthing {

enum class Element : std::uint8_t { kF32, kBf16, kF16, kF8e4m3, kInt, kNf4, kE2m1, kIq4nl };
enum class Strategy : std::uint8_t { kTensor, kChannel, kGroup };
enum class ScaleType : std::uint8_t { kF16, kBf16, kF32 };
enum class ZeroPoint : std::uint8_t { kNone, kInteger, kFloat };  // kFloat: HQQ before rounding

struct WeightScheme {
  Element element = Element::kBf16;
  int bits = 16;
  Strategy strategy = Strategy::kChannel;
  std::int64_t group_size = 0;  // inputs per group when strategy == kGroup
  bool symmetric = true;        // 2..7 bits: full range with signed scale; 8 bits: within +-127
  ScaleType scale = ScaleType::kF16;
  ZeroPoint zero_point = ZeroPoint::kNone;  // kNone exactly when symmetric
  std::string_view block = {};              // a GGUF block type by its own name ("q4_k"), else ""
  bool plain = false;  // kInt: one I8 a code (compressed-tensors' int-quantized), not packed words
  bool operator==(const WeightScheme&) const = default;
};

// kInt16 is two int8 planes: x = scale * (256 hi + lo), scale = amax / 32639.
enum class ActivationMode : std::uint8_t { kF32, kBf16, kInt16, kInt8 };

struct ActivationScheme {
  ActivationMode mode = ActivationMode::kF32;
  Strategy strategy = Strategy::kGroup;  // of the integer modes: kChannel means one scale a token
  std::int64_t group_size = 64;          // inputs per scale when strategy == kGroup
  bool dynamic = true;
  float scale = 0;  // not dynamic: what one step of the codes is worth, for all tokens
  bool operator==(const ActivationScheme&) const = default;
};

struct QuantScheme {
  WeightScheme weights;
  ActivationScheme activations;
  bool operator==(const QuantScheme&) const = default;
};

// "w4g64-asym" and the other names of docs/schemes.md, GGUF types included; the activation mode is
// the default for the name (resolve_activations). Error: usage; names what is known and the
// nearest.
QuantScheme parse_scheme(std::string_view name);
// The names leave out the type of the scales, which is FP16 unless a file says otherwise.
std::string scheme_name(const WeightScheme& scheme);
std::string scheme_name(const QuantScheme& scheme);           // "w8a8-static" too
std::string_view activation_name(ActivationMode mode);        // "fp32", "bf16", "int16", "int8"
ActivationMode parse_activation_mode(std::string_view name);  // Error: usage

// The scheme that a matrix with `cols` inputs really gets: a group that does not divide the row
// becomes the largest of 128, 64, 32, 16 below it that does, else the channel.
WeightScheme fit_to_row(WeightScheme scheme, std::int64_t cols);

// The activation scheme that goes with weights when the user names none (int16 above 5 bits, int8
// at 5 and below, fp32 for float weights and nf4), or with the mode the user named. Groups of the
// integer modes: the weights' group when it is one of 16..128, else 64.
ActivationScheme resolve_activations(const WeightScheme& weights, const ActivationMode* wanted);

// Bits a weight takes in the file, scales and zero points included, for rows of `cols` inputs.
double bits_per_weight(const WeightScheme& scheme, std::int64_t cols);

}  // namespace farthing
