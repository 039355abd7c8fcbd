// The files of data/calibration; the build writes their definition (cmake/embed_texts.cmake).
#pragma once

#include <span>
#include <string_view>

namespace farthing::calibrate {

struct BuiltinText {
  std::string_view file, text;
};
std::span<const BuiltinText> builtin_texts();

}  // namespace farthing::calibrate
