#include "engine/stop_strings.h"

#include <gtest/gtest.h>

namespace farthing::engine {
namespace {

// Feeds text in pieces of n bytes; what is shown must not depend on n.
std::string shown(const std::vector<std::string>& stops, std::string_view text, std::size_t n,
                  bool* stopped = nullptr) {
  StopStrings strings(stops);
  std::string out;
  for (std::size_t i = 0; i < text.size() && !strings.stopped(); i += n)
    out += strings.push(text.substr(i, n));
  if (stopped != nullptr) *stopped = strings.stopped();
  if (!strings.stopped()) out += strings.finish();
  return out;
}

TEST(StopStrings, EndAtTheFirstWhereverThePiecesAreCut) {
  for (std::size_t n = 1; n <= 20; ++n) {
    bool stopped = false;
    EXPECT_EQ(shown({"</s>", "User:"}, "Hello <s> Us User: more</s>", n, &stopped), "Hello <s> Us ")
        << n;
    EXPECT_TRUE(stopped);
    EXPECT_EQ(shown({"</s>"}, "ends with a part </s", n, &stopped), "ends with a part </s") << n;
    EXPECT_FALSE(stopped);
    EXPECT_EQ(shown({"aab"}, "aaab", n), "a") << n;  // the held text overlaps itself
    EXPECT_EQ(shown({}, "no stops", n), "no stops");
    EXPECT_EQ(shown({""}, "an empty stop is none", n), "an empty stop is none");
  }
}

TEST(StopStrings, ShowTextAtOnceWhenNoStopCanBeginInIt) {
  StopStrings strings({"END"});
  EXPECT_EQ(strings.push("abc"), "abc");
  EXPECT_EQ(strings.push("E"), "");
  EXPECT_EQ(strings.push("x"), "Ex");
}

}  // namespace
}  // namespace farthing::engine
