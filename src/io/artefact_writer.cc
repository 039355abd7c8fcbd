#include "io/artefact_writer.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "core/text.h"
#include "io/artefact.h"
#include "io/mapped_file.h"
#include "io/safetensors_writer.h"

namespace farthing::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTextFiles[] = {"tokenizer.json",
                                           "tokenizer.model",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "added_tokens.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "chat_template.jinja",
                                           "chat_template.json",
                                           "generation_config.json"};

bool is_empty_directory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) && fs::is_empty(path, ignored);
}

}  // namespace

void check_artefact_place(const std::string& out, bool replace) {
  if (out.empty()) usage_error("the output is an empty name; give a directory");
  if (!file_exists(out) || is_empty_directory(out)) return;
  const std::string shown = printable(out, 400);
  if (!replace)
    usage_error("{}: is there already; remove it, write to another name, or --force to replace it",
                shown);
  if (!file_exists(out + "/" + std::string(kArtefactFile)))
    usage_error(
        "{}: was not written by Farthing (it has no {}), so it is not replaced; remove it or write "
        "to another name",
        shown, kArtefactFile);
}

std::span<const std::string_view> model_text_files() { return kTextFiles; }

ArtefactWriter::ArtefactWriter(std::string out, std::string_view key, int shards, bool replace)
    : out_(std::move(out)), done_(static_cast<std::size_t>(shards), false), replace_(replace) {
  while (out_.size() > 1 && out_.back() == '/') out_.pop_back();
  check_artefact_place(out_, replace_);
  partial_ = out_ + ".partial";
  make_directory(partial_);
  lock_ = std::make_unique<FileLock>(partial_ + "/lock");
  make_directory(partial_ + "/journal");
  make_directory(partial_ + "/files");
  check_key(key);
  find_finished();
}

std::string ArtefactWriter::files(std::string_view name) const {
  return fmt::format("{}/files/{}", partial_, name);
}
std::string ArtefactWriter::journal(std::string_view name) const {
  return fmt::format("{}/journal/{}", partial_, name);
}
SafetensorsFile ArtefactWriter::finished_shard(int shard) const {
  return SafetensorsFile(files(shard_file(shard)));
}

std::string ArtefactWriter::shard_file(int shard) const {
  if (shards() == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards());
}
std::string ArtefactWriter::shard_note(int shard) const {
  return journal(fmt::format("shard-{:05}.json", shard + 1));
}

void ArtefactWriter::check_key(std::string_view key) {
  const std::string path = journal("key.json");
  const Json mine = {{"key", key}, {"shards", shards()}};
  if (!file_exists(path)) return write_durably(path, mine.dump());
  if (read_json_file(path) != mine)
    usage_error(
        "{}: holds an unfinished run with other settings; remove it or write to another name",
        printable(partial_, 400));
}

void ArtefactWriter::find_finished() {
  std::error_code skipped;
  for (const auto& entry : fs::directory_iterator(partial_ + "/files", skipped))
    if (entry.path().extension() == ".tmp") fs::remove(entry.path(), skipped);
  for (int shard = 0; shard < shards(); ++shard) {
    if (!file_exists(shard_note(shard))) continue;
    const Json entry = read_json_file(shard_note(shard));
    std::error_code ignored;
    const std::string file = json_text(entry, "file", "", shard_note(shard));
    const auto bytes = static_cast<std::uint64_t>(json_int(entry, "bytes", 0, shard_note(shard)));
    done_[static_cast<std::size_t>(shard)] =
        file.empty() || fs::file_size(files(file), ignored) == bytes;
  }
}

Json ArtefactWriter::note(int shard) const { return read_json_file(shard_note(shard)).at("note"); }

void ArtefactWriter::write_shard(int shard, std::span<const TensorInfo> tensors, const Json& note) {
  Json names = Json::array();
  std::uint64_t total = 0;
  for (const TensorInfo& tensor : tensors) {
    names.push_back(tensor.name);
    total += tensor.bytes.size();
  }
  if (!tensors.empty()) write_safetensors(files(shard_file(shard)), tensors);
  note_shard(shard, std::move(names), total, note);
}

std::unique_ptr<PlannedSafetensors> ArtefactWriter::begin_shard(
    int shard, std::vector<PlannedTensor> tensors) {
  return std::make_unique<PlannedSafetensors>(files(shard_file(shard)), std::move(tensors));
}

void ArtefactWriter::finish_shard(int shard, PlannedSafetensors& file, const Json& note) {
  Json names = Json::array();
  std::uint64_t total = 0;
  for (const PlannedTensor& tensor : file.tensors()) {
    names.push_back(tensor.name);
    total += tensor.bytes();
  }
  file.commit();
  note_shard(shard, std::move(names), total, note);
}

void ArtefactWriter::note_shard(int shard, Json names, std::uint64_t total, const Json& note) {
  const std::string file = names.empty() ? "" : shard_file(shard);
  const std::uint64_t bytes = file.empty() ? 0 : fs::file_size(files(file));
  const Json entry = {{"file", file},
                      {"bytes", bytes},
                      {"tensor_bytes", total},
                      {"tensors", std::move(names)},
                      {"note", note}};
  write_durably(shard_note(shard), entry.dump());
  done_[static_cast<std::size_t>(shard)] = true;
}

void ArtefactWriter::write_file(std::string_view name, std::string_view content) {
  write_durably(files(name), content);
}

void ArtefactWriter::copy_texts(const Checkpoint& source) {
  for (const std::string_view name : kTextFiles)
    if (const auto text = source.text_file(name)) write_file(name, *text);
}

void ArtefactWriter::finish() {
  Json map = Json::object();
  auto& members = static_cast<Json::object_t::Container&>(map.get_ref<Json::object_t&>());
  std::uint64_t total = 0;
  for (int shard = 0; shard < shards(); ++shard) {
    if (!has(shard))
      throw Error(Fault::kInternal, fmt::format("shard {} was not written", shard + 1));
    const Json entry = read_json_file(shard_note(shard));
    total += entry.at("tensor_bytes").get<std::uint64_t>();
    for (const Json& name : entry.at("tensors"))
      members.emplace_back(name.get<std::string>(), entry.at("file"));
  }
  if (shards() > 1) {
    const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
    write_file("model.safetensors.index.json", index.dump(1) + "\n");
  }
  if (replace_ && file_exists(out_) && !is_empty_directory(out_))
    swap_durably(partial_ + "/files", out_);  // what was there is removed with the journal
  else
    rename_durably(partial_ + "/files", out_);
  std::error_code ignored;  // what is left is only a journal that nobody needs
  fs::remove_all(partial_, ignored);
  lock_.reset();
}

}  // namespace farthing::io
