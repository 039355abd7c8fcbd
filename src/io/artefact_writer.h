// Writes an artefact shard by shard so that a kill at any moment leaves either no OUT or a whole
// one, and a second run goes on where the first was stopped.
//
// While it is written, everything lies in OUT.partial: the artefact's files, and a journal with one
// note a finished shard. finish() renames the files to OUT, which is one atomic step.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"
#include "io/durable_file.h"
#include "io/planned_safetensors.h"
#include "io/safetensors.h"

namespace farthing::io {

// Error: usage, unless `out` is free, an empty directory or, with `replace`, an artefact.
void check_artefact_place(const std::string& out, bool replace);

class ArtefactWriter {
 public:
  // `key` is a hash of all that the bytes depend on: source, recipe, seed, tool version. Opens
  // OUT.partial, new or as a run with the same key left it. Error: usage, when OUT is there already
  // (an empty directory may be, and with `replace` an artefact), another process is writing it, or
  // OUT.partial has another key; out of resources; bad input, when the place cannot be written.
  ArtefactWriter(std::string out, std::string_view key, int shards, bool replace = false);

  int shards() const { return static_cast<int>(done_.size()); }
  // Whether a shard (0 .. shards - 1) is finished, and the note that was kept with it.
  bool has(int shard) const { return done_[static_cast<std::size_t>(shard)]; }
  Json note(int shard) const;
  // What is in a finished shard. Error: bad input, when somebody has damaged it.
  SafetensorsFile finished_shard(int shard) const;

  // Writes a shard; when it returns, the shard is on disk for good. The note is what the caller
  // needs to know of the shard when it goes on later.
  void write_shard(int shard, std::span<const TensorInfo> tensors, const Json& note = {});
  // The same for a shard that is filled piece by piece; nothing counts before finish_shard().
  std::unique_ptr<PlannedSafetensors> begin_shard(int shard, std::vector<PlannedTensor> tensors);
  void finish_shard(int shard, PlannedSafetensors& file, const Json& note = {});
  // A file beside the weights: config.json, farthing.json.
  void write_file(std::string_view name, std::string_view content);
  // Tokenizer, chat template and generation configuration as the source has them.
  void copy_texts(const Checkpoint& source);

  // Writes the index and renames to OUT, in one step also where it replaces. All shards must be
  // there.
  void finish();

 private:
  std::string files(std::string_view name) const;
  std::string journal(std::string_view name) const;
  std::string shard_file(int shard) const;
  std::string shard_note(int shard) const;
  void check_key(std::string_view key);
  void find_finished();
  void note_shard(int shard, Json names, std::uint64_t tensor_bytes, const Json& note);

  std::string out_, partial_;
  std::unique_ptr<FileLock> lock_;
  std::vector<bool> done_;
  bool replace_ = false;
};

// The text files that belong to a model: "tokenizer.json" and so on.
std::span<const std::string_view> model_text_files();

}  // namespace farthing::io
