#include "compress/matches.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {

Matches::Matches(const Setting& setting) : where_(setting.where) {
  if (setting.kind != Setting::Kind::kList) {
    patterns_.emplace_back(text_of(setting, "match"), setting.where);
    return;
  }
  for (const Setting& item : setting.items)
    patterns_.emplace_back(text_of(item, "match"), item.where);
  if (patterns_.empty()) bad_input("{}: match must name at least one matrix", where_);
}

bool Matches::has(std::string_view base) const {
  return is_all() || std::ranges::any_of(patterns_, [&](const io::NamePattern& pattern) {
           return pattern.matches(base);
         });
}

std::string Matches::text() const {
  if (is_all()) return "re:.*";
  return printable(patterns_.front().text()) + (patterns_.size() > 1 ? ", ..." : "");
}

}  // namespace farthing::compress
