#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "text/normalizer.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

using Codes = std::vector<utf8proc_int32_t>;

bool left_alone(utf8proc_int32_t code) {
  return (properties(static_cast<char32_t>(code)) & kNotNormalised) != 0;
}

int combining_class(utf8proc_int32_t code) {
  return left_alone(code) ? 0 : utf8proc_get_property(code)->combining_class;
}

void decompose(char32_t code, bool compatibility, Codes& out) {
  const auto signed_code = static_cast<utf8proc_int32_t>(code);
  if (code < 0xA0 || left_alone(signed_code)) {
    out.push_back(signed_code);
    return;
  }
  std::array<utf8proc_int32_t, 32> parts;
  int boundary = 0;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE |
                                                      (compatibility ? UTF8PROC_COMPAT : 0));
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(signed_code, parts.data(), parts.size(), options, &boundary);
  if (count < 1 || count > static_cast<utf8proc_ssize_t>(parts.size()))
    out.push_back(signed_code);
  else
    out.insert(out.end(), parts.begin(), parts.begin() + count);
}

// Sorts by combining class; equal ones keep their order.
void order_run(std::span<utf8proc_int32_t> run) {
  std::vector<std::pair<std::size_t, utf8proc_int32_t>> keyed;
  for (std::size_t i = 0; i < run.size(); ++i)
    keyed.emplace_back(static_cast<std::size_t>(combining_class(run[i])) << 48 | i, run[i]);
  std::sort(keyed.begin(), keyed.end());
  for (std::size_t i = 0; i < run.size(); ++i) run[i] = keyed[i].second;
}

// Canonical ordering. utf8proc's own is quadratic in the length of a run of marks.
void order_marks(Codes& codes) {
  for (std::size_t at = 0; at < codes.size();) {
    std::size_t end = at;
    while (end < codes.size() && combining_class(codes[end]) != 0) ++end;
    if (end - at > 1) order_run(std::span(codes).subspan(at, end - at));
    at = std::max(end, at + 1);
  }
}

void compose_run(std::span<utf8proc_int32_t> run, std::string& out) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(run.data(), static_cast<utf8proc_ssize_t>(run.size()), options);
  for (const auto code : run.first(static_cast<std::size_t>(std::max<utf8proc_ssize_t>(0, length))))
    append_utf8(out, static_cast<char32_t>(code));
}

}  // namespace

std::string normalize_form(std::string_view text, NormalForm form) {
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return static_cast<signed char>(c) >= 0; }))
    return std::string(text);
  Codes codes;
  codes.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_utf8(text, at);
    decompose(next.code, form.compatibility, codes);
    at += next.length;
  }
  order_marks(codes);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < codes.size();) {
    std::size_t end = at;
    while (form.compose && end < codes.size() && !left_alone(codes[end])) ++end;
    compose_run(std::span(codes).subspan(at, end - at), out);
    if (end < codes.size()) append_utf8(out, static_cast<char32_t>(codes[end]));
    at = end + 1;
  }
  return out;
}

namespace {

class Form final : public Normalizer {
 public:
  explicit Form(NormalForm form) : form_(form) {}
  void apply(NormalText& text) const override { text.text = normalize_form(text.text, form_); }

 private:
  NormalForm form_;
};

}  // namespace

NormalizerPtr make_form(NormalForm form) { return std::make_unique<Form>(form); }

}  // namespace farthing::text
