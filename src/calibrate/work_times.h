// Where the time of calibrated compression goes.
#pragma once

#include <chrono>

namespace farthing::calibrate {

// Seconds by kind of work.
struct WorkTimes {
  double forward = 0;     // samples through blocks: products of linears, attention
  double statistics = 0;  // sums over the inputs of linears: x x^T (SYRK), drift, moments
  double edits = 0;       // steps that change weights before they are rounded, or learn
  double factors = 0;     // Cholesky factors, their inverses, corrections
  double rounding = 0;    // searches of grids, rounding, passing errors on
  double products = 0;    // of the rounding: passing errors on (GEMM)
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Adds the seconds of its life to a sum.
class Timed {
 public:
  explicit Timed(double& sum) : sum_(sum) {}
  ~Timed() { sum_ += watch_.seconds(); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& sum_;
  Stopwatch watch_;
};

}  // namespace farthing::calibrate
