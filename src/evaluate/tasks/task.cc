#include "evaluate/tasks/task.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/mapped_file.h"

namespace farthing::evaluate {
namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{1} << 30;
constexpr std::size_t kLineBytes = std::size_t{1} << 20;

void check_item(const Item& item, const std::string& where) {
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    if (item.choices[i].empty()) bad_input("{}: choice {} is empty", where, i);
    if (item.continuations[i].find_first_not_of(" \n\t") == std::string::npos)
      bad_input("{}: choice {} has nothing to score", where, i);
  }
}

struct Documents {
  const Form* form = nullptr;
  std::vector<Item> items;
  std::string sha256;
  std::int64_t total = 0;
};

// At most `limit` of them are rendered; all of the rest is only counted.
Documents read_documents(const std::string& path, std::int64_t limit) {
  const std::string text = io::read_text_file(path, kFileBytes);
  Documents documents{.form = nullptr, .items = {}, .sha256 = sha256_hex(text), .total = 0};
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    const std::string where = fmt::format("{}: line {}", printable(path), ++number);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ++documents.total;
    if (limit > 0 && static_cast<std::int64_t>(documents.items.size()) == limit) continue;
    if (line.size() > kLineBytes)
      bad_input("{}: a document may have 1 MiB; got {}", where, human_bytes(line.size()));
    const Json document = parse_json(line, where);
    const Form& form = form_of(document, where);
    if (documents.form != nullptr && documents.form != &form)
      bad_input("{}: has the form \"{}\", but the lines before are \"{}\"; a file holds one task",
                where, form.name, documents.form->name);
    documents.form = &form;
    documents.items.push_back(form.render(document, where));
    check_item(documents.items.back(), where);
  }
  if (documents.items.empty())
    bad_input("{}: has no document; a task is JSON lines, one document a line", printable(path));
  return documents;
}

// A document with its answer, as an example shows it.
std::string answered(const Item& item) {
  const std::size_t i = item.continuations.size() > 1 ? item.gold : 0;
  return std::string(item.context(i)) + item.continuations[i] + "\n\n";
}

// The first `shots` examples, of the item's subject where it has one.
std::string examples_for(const Item& item, const std::vector<Item>& examples, std::int64_t shots,
                         const std::string& path) {
  std::string text;
  std::int64_t found = 0;
  for (const Item& example : examples) {
    if (found == shots) break;
    if (example.subject != item.subject) continue;
    text += answered(example);
    ++found;
  }
  if (found < shots)
    bad_input("{}: has {} examples{}; --shots {} needs more", printable(path), found,
              item.subject.empty() ? "" : " of the subject \"" + printable(item.subject) + "\"",
              shots);
  return text;
}

}  // namespace

NamedFile named_file(const std::string& argument, bool keep_extension) {
  const std::size_t equals = argument.find('=');
  const std::filesystem::path path = argument;
  NamedFile file{.name = (keep_extension ? path.filename() : path.stem()).string(),
                 .path = argument};
  if (equals != std::string::npos && !io::file_exists(argument))
    file = {.name = argument.substr(0, equals), .path = argument.substr(equals + 1)};
  if (file.name.empty() || file.path.empty())
    usage_error("a file, or NAME=FILE, was expected; got \"{}\"", printable(argument));
  return file;
}

void check_names_differ(const std::vector<NamedFile>& files, std::string_view what) {
  std::unordered_set<std::string> names;
  for (const NamedFile& file : files)
    if (!names.insert(file.name).second)
      usage_error("two {} are named \"{}\"; give one another name: NAME={}", what,
                  printable(file.name), printable(file.path));
}

Task read_task(const NamedFile& file, const TaskOptions& options) {
  Documents documents = read_documents(file.path, options.limit);
  Task task{.name = file.name,
            .sha256 = documents.sha256,
            .form = documents.form,
            .items = std::move(documents.items),
            .documents = documents.total,
            .shots = options.shots};
  std::vector<Item> examples;
  if (options.shots > 0) {
    Documents read = read_documents(options.examples, 0);
    if (read.form != task.form)
      bad_input("{}: has documents of the form \"{}\", but the task {} has \"{}\"",
                printable(options.examples), read.form->name, printable(task.name),
                task.form->name);
    examples = std::move(read.items);
  }
  for (Item& item : task.items) {
    std::string before = item.description;
    if (options.shots > 0) before += examples_for(item, examples, options.shots, options.examples);
    for (std::string& context : item.contexts) context.insert(0, before);
  }
  return task;
}

}  // namespace farthing::evaluate
