// `farthing report`, and its page in a real browser.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "run_binary.h"
#include "tests/report/fixture.h"

namespace farthing::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportVerb, WritesAPageACardAndJson) {
  const io::TempDir dir;
  report::write_folder(dir, "name");
  const Ran ran =
      run_farthing("report " + dir.path() + " --markdown " + dir.path("card.md") + " --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(read_file(dir.path("report.html")), HasSubstr("<!doctype html>"));
  EXPECT_THAT(read_file(dir.path("card.md")), HasSubstr("43.8 % ± 8.0 %"));
  EXPECT_EQ(nlohmann::json::parse(ran.out)["headline"]["top1_agreement"], 0.9321);
  EXPECT_EQ(run_farthing("report /nonexistent").code, 3);
  EXPECT_EQ(run_farthing("report " + dir.path() + " --with " + dir.path("config.json")).code, 3);
  EXPECT_EQ(run_farthing("report " + dir.path() + " --out /nonexistent/x.html").code, 3);
}

TEST(ReportVerb, ThePageDrawsItsChartsInABrowserWithoutAWord) {
  if (std::system("command -v chromium > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "chromium is not installed (Debian: apt-get install chromium)";
  const io::TempDir dir;
  report::write_folder(dir);
  ASSERT_EQ(run_farthing("report " + dir.path()).code, 0);
  const std::string command =
      "HOME=" + dir.path() +
      " chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
      "--no-first-run --disable-background-networking --disable-component-update --user-data-dir=" +
      dir.path("profile") +
      " --enable-logging=stderr --virtual-time-budget=5000 --dump-dom file://" +
      dir.path("report.html") + " > " + dir.path("dom") + " 2> " + dir.path("log");
  ASSERT_EQ(std::system(command.c_str()), 0) << read_file(dir.path("log"));
  const std::string dom = read_file(dir.path("dom"));
  for (const std::string name : {"pareto", "kld"})
    EXPECT_TRUE(
        std::regex_search(dom, std::regex("data-chart=\"" + name + "\"[^>]*data-drawn=\"yes\"")))
        << name;
  EXPECT_THAT(dom, HasSubstr("<canvas"));
  EXPECT_THAT(dom, Not(HasSubstr("<img")));
  EXPECT_THAT(read_file(dir.path("log")), Not(HasSubstr("CONSOLE")));
}

}  // namespace
}  // namespace farthing::testing
