// Folders of goldens as parameters of tests.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace farthing::reference {

// The folders in `root`, sorted.
inline std::vector<std::string> case_names(const std::string& root) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

// As the name of a test, which has no dashes.
inline std::string test_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace farthing::reference
