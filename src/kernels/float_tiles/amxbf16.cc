// BF16 on AMX tiles, sixteen tokens at a time; an "input" is a pair (pair_weights.h).
#include "kernels/float_tiles/pair_weights.h"
#include "simd/amx.h"
#include "simd/pairs_avx512bf16.h"

namespace farthing::kernels::float_tiles {
namespace {

using S = simd::PairsAvx512;
constexpr int kAmxStripe = 96;  // tokens that share one ordering of the weights

// sums (16 tokens, 16 outputs) += the products of `count` inputs.
void multiply_tiles(const float* x, std::int64_t x_stride, const std::byte* weights, int count,
                    float* sums) {
  const auto stride = static_cast<std::size_t>(x_stride) * sizeof(float);
  simd::AmxTiles::order_memory();
  _tile_loadd(0, sums, 64);
  int k = 0;
  for (; k + simd::kAmxRows <= count; k += simd::kAmxRows) {
    _tile_loadd(2, x + k, stride);
    _tile_loadd(3, weights + 64 * k, 64);
    _tile_dpbf16ps(0, 2, 3);
  }
  if (k < count) {
    _tile_loadd(4, x + k, stride);
    _tile_loadd(5, weights + 64 * k, 64);
    _tile_dpbf16ps(0, 4, 5);
  }
  _tile_stored(0, sums, 64);
}

void run_tile(const LinearSlice& slice, std::int64_t tile, std::int64_t begin, std::int64_t end) {
  alignas(64) float room[kBlockInputs * kTileRows];
  alignas(64) float sums[kAmxStripe * kTileRows];
  clear(sums, kAmxStripe * kTileRows);
  prefetch_outputs(slice, tile, 1, begin, end - begin);
  const std::byte* weights = slice.tiles + tile * slice.tile_bytes;
  for (std::int64_t k = 0; k < slice.in; k += kBlockInputs) {
    const std::int64_t count = slice.in - k < kBlockInputs ? slice.in - k : kBlockInputs;
    const std::byte* pairs = PairWeights<S>::widen(slice, weights, k, count, room);
    for (std::int64_t t = begin; t < end; t += simd::kAmxTokens)
      multiply_tiles(slice.x + t * slice.in + k, slice.in, pairs, static_cast<int>(count),
                     sums + (t - begin) * kTileRows);
  }
  store_tiles<S>(slice, tile, 1, begin, end - begin, sums);
}

}  // namespace

void bf16_amxbf16(const LinearSlice& whole) {
  LinearSlice slice = whole;
  slice.in = (whole.in + 1) / 2;
  const int tokens =
      static_cast<int>(slice.tokens < simd::kAmxTokens ? slice.tokens : simd::kAmxTokens);
  simd::AmxTiles::configure(tokens, static_cast<int>(slice.in % simd::kAmxRows));
  for (std::int64_t begin = 0; begin < slice.tokens; begin += kAmxStripe) {
    const std::int64_t end = begin + kAmxStripe < slice.tokens ? begin + kAmxStripe : slice.tokens;
    for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; ++tile)
      run_tile(slice, tile, begin, end);
  }
  simd::AmxTiles::release();
}

}  // namespace farthing::kernels::float_tiles
