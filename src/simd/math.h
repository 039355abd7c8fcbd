// Elementary functions over vectors of floats, from polynomials (minimax fits by exchange) and
// fused multiply-adds in a fixed order, so that all instruction sets give the same bits. NaN stays
// NaN.
#pragma once

#include "simd/inline.h"

namespace farthing::simd {

template <class S>
struct Math {
  using F = typename S::F;

  // Splits x into n ln 2 + r and returns e^r - 1; |r| <= ln 2 / 2.
  FARTHING_SIMD F reduced_exp(F x, F& n) {
    n = S::round(S::mul(x, S::set(0x1.715476p+0f)));
    F r = S::fnma(n, S::set(0x1.62e4p-1f), x);  // ln 2 in two parts; n times the first is exact
    r = S::fnma(n, S::set(0x1.7f7d1cp-20f), r);
    F q = S::set(0x1.6a2434p-10f);
    q = S::fma(q, r, S::set(0x1.1239e2p-7f));
    q = S::fma(q, r, S::set(0x1.5558f2p-5f));
    q = S::fma(q, r, S::set(0x1.555492p-3f));
    q = S::fma(q, r, S::set(0x1.fffffcp-2f));
    return S::fma(S::mul(r, r), q, r);
  }

  FARTHING_SIMD F exp(F x) {
    x = S::min(S::set(89.0f), S::max(S::set(-104.0f), x));  // beyond: infinity, 0
    F n;
    const F p = reduced_exp(x, n);
    return S::times_power(S::add(p, S::set(1.0f)), n);
  }

  // For the weights of a softmax, x <= 0: cheaper, relative error (2 + |x|) 2^-24, so 1e-7 of the
  // largest weight.
  FARTHING_SIMD F exp_of_weight(F x) {
    const F y = S::mul(S::max(S::set(-104.0f), x), S::set(0x1.715476p+0f));
    const F n = S::round(y), r = S::sub(y, n);
    F p = S::set(0x1.446c82p-13f);
    p = S::fma(p, r, S::set(0x1.5f8904p-10f));
    p = S::fma(p, r, S::set(0x1.3b29e4p-7f));
    p = S::fma(p, r, S::set(0x1.c6ae2cp-5f));
    p = S::fma(p, r, S::set(0x1.ebfbe0p-3f));
    p = S::fma(p, r, S::set(0x1.62e432p-1f));
    return S::times_power(S::fma(p, r, S::set(1.0f)), n);
  }

  FARTHING_SIMD F tanh(F x) {  // e / (e + 2) with e = exp(2 |x|) - 1: nothing cancels near 0
    F n;
    const F doubled = S::min(S::set(20.0f), S::abs(S::add(x, x)));
    const F p = reduced_exp(doubled, n);
    const F power = S::times_power(S::set(1.0f), n);
    const F e = S::fma(p, power, S::sub(power, S::set(1.0f)));
    return S::with_sign_of(S::div(e, S::add(e, S::set(2.0f))), x);
  }

  FARTHING_SIMD F x_sigmoid(F x, F y) {  // x / (1 + exp(-y))
    return S::div(x, S::add(S::set(1.0f), exp(S::sub(S::zero(), y))));
  }
  FARTHING_SIMD F silu(F x) { return x_sigmoid(x, x); }
  FARTHING_SIMD F quick_gelu(F x) { return x_sigmoid(x, S::mul(x, S::set(1.702f))); }
  // x (1 + tanh u) / 2 = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3)
  FARTHING_SIMD F gelu_tanh(F x) {
    const F v = S::fma(S::mul(x, x), S::set(0.0713548162726f), S::set(1.5957691216057f));
    return x_sigmoid(x, S::mul(x, v));
  }
  // x Phi(x). Phi(-a) = exp(-a^2 / 2) R(1 / (1 + 0.3 a)), R a polynomial for a in 0 .. 15.
  FARTHING_SIMD F gelu(F x) {
    const F one = S::set(1.0f), half = S::set(0.5f);
    const F a = S::min(S::set(15.0f), S::abs(x));
    const F t = S::div(one, S::fma(a, S::set(0.3f), one));
    F r = S::set(-0.0201723612844944f);
    r = S::fma(r, t, S::set(0.10979187488555908f));
    r = S::fma(r, t, S::set(-0.22142428159713745f));
    r = S::fma(r, t, S::set(0.18174412846565247f));
    r = S::fma(r, t, S::set(-0.06997495144605637f));
    r = S::fma(r, t, S::set(0.09025780856609344f));
    r = S::fma(r, t, S::set(0.0808587521314621f));
    r = S::fma(r, t, S::set(0.10955268889665604f));
    r = S::fma(r, t, S::set(0.11969095468521118f));
    r = S::fma(r, t, S::set(0.11967486143112183f));
    r = S::fma(r, t, S::set(5.073137003819284e-07f));
    const F square = S::mul(a, a), lost = S::fnma(a, a, square);  // lost: square - a^2
    const F gauss = exp(S::mul(S::set(-0.5f), square));
    const F tail = S::mul(S::fma(gauss, S::mul(half, lost), gauss), r);
    return S::mul(x, S::select(S::less(x, S::zero()), tail, S::sub(one, tail)));
  }
  FARTHING_SIMD F relu(F x) { return S::max(S::zero(), x); }  // max keeps NaN, its second
  FARTHING_SIMD F relu2(F x) { return S::mul(relu(x), relu(x)); }
};

}  // namespace farthing::simd
