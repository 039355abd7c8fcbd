// The files of the report's page; the build writes their definition (cmake/embed_page.cmake).
#pragma once

#include <span>
#include <string_view>

namespace farthing::report {

struct PagePart {
  std::string_view file, text;
};
std::span<const PagePart> page_parts();

}  // namespace farthing::report
