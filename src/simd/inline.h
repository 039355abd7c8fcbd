// How every function of a simd header is declared: inlined even in debug builds, so that no
// function of one instruction set can be picked by the linker for a caller of another.
#pragma once

#define FARTHING_SIMD [[gnu::always_inline]] static inline

// Before a loop over vectors in registers: g++ 12 keeps arrays of them in memory when it does not
// unroll the loop early.
#define FARTHING_UNROLL _Pragma("GCC unroll 16")
