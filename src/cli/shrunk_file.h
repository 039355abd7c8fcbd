// A weight file that somebody cuts short while it is mapped (docs/adr/0010).
#pragma once

namespace farthing::cli {

// From now on reading the lost part of a mapped file prints one sentence and exits with code 3.
void report_shrunk_files();

}  // namespace farthing::cli
