// What happens to text before it is cut into pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/growth.h"
#include "text/pattern.h"

namespace farthing::text {

struct NormalText {
  std::string text;
  bool starts_input;  // its first character is the first of the whole input
  std::size_t limit = growth_limit(text.size());
};
inline void check_growth(std::size_t size, const NormalText& text) {
  check_growth("normaliser", size, text.limit);
}

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(NormalText& text) const = 0;  // valid UTF-8 in and out
};
using NormalizerPtr = std::unique_ptr<Normalizer>;

// Unicode normalisation forms (UAX #15) of the original's version of Unicode; linear time.
struct NormalForm {
  bool compatibility;  // NFKC, NFKD
  bool compose;        // NFC, NFKC
};
std::string normalize_form(std::string_view text, NormalForm form);

NormalizerPtr make_form(NormalForm form);
NormalizerPtr make_lowercase();
NormalizerPtr make_strip(bool left, bool right);
NormalizerPtr make_strip_accents();
NormalizerPtr make_replace(std::shared_ptr<const Pattern> pattern, std::string content);
NormalizerPtr make_prepend(std::string prefix);
NormalizerPtr make_nmt();  // control characters out, odd blanks to spaces
NormalizerPtr make_byte_level_normalizer();
NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> parts);

struct BertOptions {
  bool clean_text, handle_chinese, strip_accents, lowercase;
};
NormalizerPtr make_bert_normalizer(BertOptions options);

}  // namespace farthing::text
