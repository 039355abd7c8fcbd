// Ranges of code points, made by tools/make_unicode_tables.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::text::tables {

struct Range {
  std::uint32_t first, last;
};
struct CategoryRange {
  std::uint32_t first, last;
  std::uint8_t category;  // the value of text::Category
};
// Every `stride`-th code point of [first, last] has its lower case `delta` further.
struct LowerRun {
  std::uint32_t first, last, stride;
  std::int32_t delta;
};

#define FARTHING_TABLE(type, name) \
  extern const type k##name[];     \
  extern const std::size_t k##name##Size;
FARTHING_TABLE(CategoryRange, Category)
FARTHING_TABLE(Range, RustWordOnly)     // \w of Rust's regex crate beyond L, M, Nd, Nl and Pc
FARTHING_TABLE(Range, EngineWordOnly)   // the same for the engine that runs the split patterns
FARTHING_TABLE(Range, RustNumericOnly)  // char::is_numeric beyond N
FARTHING_TABLE(Range, RustPunctuation)
FARTHING_TABLE(Range, Accents)      // what StripAccents removes
FARTHING_TABLE(Range, BertAccents)  // what BertNormalizer removes
FARTHING_TABLE(Range, BertRemoved)  // control characters to BertNormalizer
FARTHING_TABLE(Range, NotNormalised)
FARTHING_TABLE(LowerRun, Lower)
#undef FARTHING_TABLE

}  // namespace farthing::text::tables
