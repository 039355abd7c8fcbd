// Ends an answer at the first of several strings, which may be cut anywhere by the token borders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace farthing::engine {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops);

  // Takes more text and returns what can be shown: all that no stop string can begin in any more.
  // Once stopped() the text up to the stop string has been returned and nothing follows.
  std::string push(std::string_view text);
  std::string finish();  // what was held back, when the answer ended without a stop string
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace farthing::engine
