#include "cli/shrunk_file.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "core/error.h"
#include "io/mapped_file.h"

namespace farthing::cli {
namespace {

// Only what may be called in a signal handler.
void say(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void on_bus_error(int signal, siginfo_t* info, void*) {
  const char* path = io::mapped_file_at(info->si_addr);
  if (path == nullptr) {  // not ours: end as the system would have it
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  say("farthing: ");
  say(path);
  say(": became shorter or unreadable while it was in use; copy it again and start anew\n");
  _exit(static_cast<int>(Fault::kBadInput));
}

}  // namespace

void report_shrunk_files() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace farthing::cli
