#define PCRE2_CODE_UNIT_WIDTH 8
#include "io/name_pattern.h"

#include <pcre2.h>

#include <array>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace farthing::io {
namespace {

// Enough for any sane rule on a module name; what backtracks for longer is an attack or a mistake.
constexpr std::uint32_t kMatchSteps = 100'000;
constexpr std::uint32_t kHeapKilobytes = 4096;
constexpr std::size_t kPatternBytes = 4096;

}  // namespace

struct NamePattern::Regex {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;

  Regex() = default;
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  ~Regex() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

NamePattern::NamePattern(std::string_view target, std::string_view where) : text_(target) {
  if (target.size() > kPatternBytes)
    bad_input("{}: a name or expression may have {} bytes; found {}", where, kPatternBytes,
              target.size());
  if (!target.starts_with("re:")) return;
  target.remove_prefix(3);
  int error = 0;
  PCRE2_SIZE position = 0;
  regex_ = std::make_unique<Regex>();
  regex_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(target.data()), target.size(),
                    PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C, &error, &position, nullptr);
  if (regex_->code == nullptr) {
    std::array<PCRE2_UCHAR, 160> reason{};
    pcre2_get_error_message(error, reason.data(), reason.size());
    bad_input("{}: \"{}\" is not a regular expression: {} at position {}", where, printable(text_),
              reinterpret_cast<const char*>(reason.data()), position);
  }
  regex_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(regex_->context, kMatchSteps);
  pcre2_set_heap_limit(regex_->context, kHeapKilobytes);
}

NamePattern::~NamePattern() = default;
NamePattern::NamePattern(NamePattern&&) noexcept = default;
NamePattern& NamePattern::operator=(NamePattern&&) noexcept = default;

bool NamePattern::matches(std::string_view name) const {
  if (regex_ == nullptr) return name == text_;
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const int found = pcre2_match(regex_->code, reinterpret_cast<PCRE2_SPTR>(name.data()),
                                name.size(), 0, 0, match.get(), regex_->context);
  if (found >= 0) return true;
  if (found != PCRE2_ERROR_NOMATCH)
    unsupported("the expression \"{}\" takes more than {} steps on the name {}; write it simpler",
                printable(text_), kMatchSteps, printable(name));
  return false;
}

}  // namespace farthing::io
