// Runs the real program as a user does.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace farthing::testing {

struct Ran {
  int code = -1;
  std::string out, err;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A folder of this test's own, removed with it.
class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "farthing-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// arguments as a shell would read them; input becomes standard input.
inline Ran run_farthing(const std::string& arguments, const std::string& input = "") {
  Folder folder;
  std::ofstream(folder / "in", std::ios::binary) << input;
  const std::string command = std::string(FARTHING_BINARY) + " " + arguments + " < " +
                              (folder / "in").string() + " > " + (folder / "out").string() +
                              " 2> " + (folder / "err").string();
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          read_file(folder / "out"), read_file(folder / "err")};
}

inline std::string source_path(const std::string& name) {
  return std::string(FARTHING_SOURCE_DIR) + "/" + name;
}

}  // namespace farthing::testing
