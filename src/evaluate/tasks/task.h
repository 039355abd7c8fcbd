// A task: the documents of one file, as the model is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/tasks/form.h"

namespace farthing::evaluate {

struct NamedFile {
  std::string name, path;
};
// "NAME=FILE", or a file, which is named by its stem or whole file name. Error: usage for an empty
// name or path.
NamedFile named_file(const std::string& argument, bool keep_extension = false);
// Error: usage for two files of one name, whose results could not be told apart.
void check_names_differ(const std::vector<NamedFile>& files, std::string_view what);

struct TaskOptions {
  std::int64_t limit = 0;  // at most so many documents; 0: all
  std::int64_t shots = 0;  // examples with their answers before each document
  std::string examples;    // a file of the same form that they come from: its first ones
};

struct Task {
  std::string name, sha256;    // of the file
  const Form* form = nullptr;  // of every document
  std::vector<Item> items;     // contexts with description and examples
  std::int64_t documents = 0;  // in the file
  std::int64_t shots = 0;
};

// Reads JSON lines. Error: bad input naming file and line: no JSON, a line above 1 MiB, fields
// missing, labels that name no choice, documents of several forms, empty choices, no document.
Task read_task(const NamedFile& file, const TaskOptions& options);

}  // namespace farthing::evaluate
