#include "io/name_pattern.h"

#include <gmock/gmock.h>

#include "tests/io/files.h"

namespace farthing::io {
namespace {

TEST(NamePattern, MatchesExactNamesAndExpressionsFromTheStart) {
  EXPECT_TRUE(NamePattern("lm_head", "f").matches("lm_head"));
  EXPECT_FALSE(NamePattern("lm_head", "f").matches("model.lm_head"));
  EXPECT_TRUE(NamePattern("re:.*down_proj$", "f").matches("model.layers.3.mlp.down_proj"));
  EXPECT_TRUE(NamePattern("re:model\\.layers", "f").matches("model.layers.3"));  // need not reach
  EXPECT_FALSE(NamePattern("re:layers", "f").matches("model.layers.3"));  // not from the start
  EXPECT_TRUE(NamePattern("re:^(?!.*visual).*", "f").matches("model.x"));
  EXPECT_TRUE(NamePattern("re:", "f").matches("anything"));
}

TEST(NamePattern, RefusesBrokenExpressionsAndThoseThatTakeForever) {
  EXPECT_COMPLAINT(kBadInput, "\"re:(\" is not a regular expression", NamePattern("re:(", "f"));
  EXPECT_COMPLAINT(kBadInput, "not a regular expression", NamePattern("re:a**", "f"));
  EXPECT_COMPLAINT(kBadInput, "may have 4096 bytes",
                   NamePattern("re:" + std::string(100'000, '('), "f"));
  EXPECT_COMPLAINT(kUnsupported, "takes more than",
                   NamePattern("re:(a+)+$", "f").matches(std::string(64, 'a') + "b"));
}

}  // namespace
}  // namespace farthing::io
