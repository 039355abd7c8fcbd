// The program as a user runs it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/mapped_file.h"
#include "tests/io/files.h"
#include "tests/sanitizers.h"

namespace farthing::cli {

struct Outcome {
  int code = -1;  // exit code; negative: killed by that signal
  std::string out, err;
};

struct ProcessOptions {
  std::optional<std::chrono::microseconds> kill_after = {};  // SIGKILL
  std::optional<rlim_t> file_size_limit = {};                // bytes
  std::optional<rlim_t> memory_limit = {};                   // bytes
};

// For this process and what it becomes: an end without mercy to whatever wants more.
inline bool limit_memory(rlim_t bytes) {
  if (!kShadowMemory) {
    const rlimit limit = {bytes, bytes};
    return setrlimit(RLIMIT_AS, &limit) == 0;
  }
  // AddressSanitizer counts what is used, and what one allocation asks for.
  const std::string megabytes = std::to_string(bytes >> 20);
  const char* given = std::getenv("ASAN_OPTIONS");
  const std::string options = (given == nullptr ? "" : given + std::string(":")) +
                              "quarantine_size_mb=16:hard_rss_limit_mb=" + megabytes +
                              ":max_allocation_size_mb=" + megabytes;
  return setenv("ASAN_OPTIONS", options.c_str(), 1) == 0;
}

// Runs the program with these arguments and waits for it.
inline Outcome farthing(const std::vector<std::string>& arguments, ProcessOptions options = {}) {
  const io::TempDir dir;
  const std::string out = dir.path("out"), err = dir.path("err");
  std::vector<char*> argv;
  std::string program = FARTHING_BINARY;
  argv.push_back(program.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    for (const auto& [path, number] : {std::pair(out, 1), std::pair(err, 2)}) {
      const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (file < 0 || dup2(file, number) < 0) _exit(127);
    }
    if (options.file_size_limit) {
      const rlimit limit = {*options.file_size_limit, *options.file_size_limit};
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(127);
    }
    if (options.memory_limit && !limit_memory(*options.memory_limit)) _exit(127);
    execv(argv[0], argv.data());
    _exit(127);
  }
  if (options.kill_after) {
    std::this_thread::sleep_for(*options.kill_after);
    kill(child, SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Outcome outcome;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (io::file_exists(out)) outcome.out = io::read_text_file(out);
  if (io::file_exists(err)) outcome.err = io::read_text_file(err);
  return outcome;
}

}  // namespace farthing::cli
