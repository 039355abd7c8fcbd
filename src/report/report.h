// What is known about an artefact: the model's own files and the JSON that other verbs wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"

namespace farthing::report {

// From the weights' own headers; nothing is run.
struct Layer {
  std::string name, kind, scheme, activations;
  int layer = -1;  // -1: outside of the blocks
  std::int64_t weights = 0, bytes = 0;
  std::optional<double> error;        // |W - W'|^2 / |W|^2, as compression recorded
  std::optional<double> sensitivity;  // KL of this unit alone, as sensitivity or tune measured
};
struct ModelFacts {
  std::string architecture, kv;
  std::int64_t layers = 0, max_positions = 0;
  std::int64_t parameters = 0, weights_bytes = 0, kv_bytes_per_token = 0;
  std::vector<Layer> matrices;
  std::optional<double> cache_sensitivity = {};  // KL of the key-value cache's type alone
};

struct SourceFile {
  std::string name, kind, sha256;
};

struct Report {
  std::string name;  // of the directory
  std::optional<ModelFacts> facts;
  // null when there is none of the kind
  Json artefact, eval, bench, tune, sensitivity, calibrate, verify, training, distill;
  std::vector<SourceFile> files;
  std::vector<std::string> notes;  // what could not be read, and why
};

// Reads what lies beside the weights (farthing.json, farthing.eval.json, farthing.bench.json,
// farthing.tune.json, ...) and the files of `more`, whose kind is told by what is in them; of two
// results of one kind the later counts. Error: bad input for a directory that has none of them, and
// for a file of `more` that is no result of Farthing.
Report read_report(const std::string& directory, const std::vector<std::string>& more);

// The numbers that a reader asks for first, each with its name; absent ones are left out:
// {"weights_bytes","bits_per_weight","of_bf16","tokens_per_s","share_of_roof","test","kld","kld_ci95",
// "top1_agreement","perplexity_ratio","text",...}.
Json headline(const Report& report);

std::string html_page(const Report& report);
std::string markdown(const Report& report);
// {"schema":1,"name","headline","model","layers","files","notes", and each source under its kind}
Json report_json(const Report& report);

}  // namespace farthing::report
