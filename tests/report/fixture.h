// A model's folder with one result of every kind, full of names that would like to be markup.
#pragma once

#include <filesystem>
#include <string>

#include "tests/io/files.h"

namespace farthing::report {

inline const std::string kHostile = "</script><img src=x onerror=alert(1)>\\u202e\\u0007\\\"'&";

// {"texts", "tasks", "flips", "generation"} of two texts and two tasks.
inline std::string eval_json(const std::string& name) {
  return R"({"schema": 1, "texts": {"T)" + name +
         R"(": {"perplexity": 21.5, "reference_perplexity": 20.0,
"tokens": 5, "windows": 2, "context": 64, "convention": "all", "text_sha256": "aa11",
"kld": {"mean": 0.0123, "stderr": 0.001, "median": 0.004, "p99": 0.1, "p999": 0.3, "max": 0.5},
"top1_agreement": 0.9321, "rms_delta_p": 0.021,
"ci95": {"kld": [0.0100, 0.0146], "top1_agreement": [0.92, 0.94], "rms_delta_p": [0.02, 0.022], "perplexity_ratio": [1.05, 1.1]},
"kld_histogram": {"edges": [1e-7, 1e-6, 1e-5, 1e-4, 1e-3], "counts": [0, 1, 2, 6, 4, 1]},
"worst": [{"window": 0, "position": 9, "context": "C)" +
         name + R"(", "truth": "t", "reference_top": "r", "top": "W)" + name +
         R"(", "kld": 0.5, "reference_probability": 0.4, "probability": 0.1}]}},
"tasks": {"K)" +
         name +
         R"(": {"form": "choice", "metric": "acc_norm", "documents": 40, "documents_in_file": 50, "shots": 0,
"acc": 0.41, "acc_stderr": 0.07, "acc_norm": 0.4375, "acc_norm_stderr": 0.08, "file_sha256": "bb22"}},
"flips": {"K)" +
         name +
         R"(": {"reference": "r", "metric": "acc_norm", "documents": 40, "both_right": 15, "both_wrong": 20, "lost": 3,
"gained": 2, "other_wrong_choice": 1, "flips": 0.125, "mcnemar_p": 1.0, "change": -0.025, "change_stderr": 0.05,
"reference_metrics": {"acc": 0.43, "acc_norm": 0.4625},
"worst": [{"document": 7, "context": "Q)" +
         name + R"(", "choices": ["A)" + name +
         R"(", "b"], "right": 0, "picked": 1, "shift": 1.5}]}},
"generation": {"G)" +
         name +
         R"(": {"prompts": 4, "exact_match": 0.5, "agreed_share": 0.75, "median_first_divergence": 9,
"earliest": [{"prompt": 0, "context": "P)" +
         name + R"(", "agreed_tokens": 1, "agreed": "x", "reference": "y", "instead": "z"}]}},
"weights_bytes": 1000, "resident_bytes": 2000000, "peak_rss_bytes": 5000000})";
}

inline std::string bench_json(const std::string& name) {
  return R"({"schema": 1, "machine": {"cpu": "M)" + name +
         R"(", "isa": "avx2", "threads": 2, "read_gb_s": 20.0,
"peaks": {"int8_gop_s": 300, "fp32_gflop_s": 150}},
"rows": [{"test": "pp512", "scheme": "w4g64", "activations": "int8", "kv": "fp16", "kernel": "k", "isa": "avx2", "batch": 1, "context": 0,
"tokens_per_s": {"median": 1234, "min": 1200, "max": 1250}, "gb_s": 1, "gop_s": 200, "bound": "compute", "share_of_roof": 0.71},
{"test": "tg128", "scheme": "w4g64", "activations": "int8", "kv": "fp16", "kernel": "k", "isa": "avx2", "batch": 1, "context": 0,
"tokens_per_s": {"median": 321, "min": 300, "max": 330}, "gb_s": 18, "gop_s": 2, "bound": "memory", "share_of_roof": 0.93}],
"load_s": 0.1, "resident_bytes": 2000000, "peak_rss_bytes": 4000000})";
}

inline std::string tune_json(const std::string& name) {
  const auto outcome = [](double kld, double bytes, double ms) {
    return "\"kld\": " + std::to_string(kld) + ", \"bytes\": " + std::to_string(bytes) +
           ", \"ms_per_token\": " + std::to_string(ms) + ", \"memory_bytes\": 1e6";
  };
  return R"({"schema": 1, "model": "m", "text": {"name": "probe"}, "layers": [
{"name": "model.layers.0.self_attn.q_proj", "kind": "q", "layer": 0, "scheme": "w4g16", "kld": 0.002, "measured": true},
{"name": "model.layers.1.mlp.up_proj", "kind": "up", "layer": 1, "scheme": "fp16", "kld": 0.03, "measured": false}],
"walk": [{"name": "a", "scheme": "w8", "expected": {)" +
         outcome(0.001, 9e5, 3) + R"(}}, {"name": "b", "scheme": "w4", "expected": {)" +
         outcome(0.004, 7e5, 2) + R"(}, "measured": {"kld": 0.005}}],
"pareto": [{)" +
         outcome(0.002, 9e5, 3) + "}, {" + outcome(0.02, 6e5, 2) + "}, {" + outcome(0.2, 4e5, 1) +
         R"(}], "uniform": [{"scheme": "U)" + name + R"(", )" + outcome(0.05, 7e5, 2.2) +
         R"(}], "chosen": {"measured": {)" + outcome(0.018, 6e5, 2) + "}}}";
}

inline std::string calibrate_json(const std::string& name) {
  return R"({"schema": 1, "samples": 12, "tokens": 6144, "vocabulary": 512, "distinct": 300, "repeated": 0.25, "verdict": "warn",
"notes": [], "findings": ["F)" +
         name + R"("]})";
}

// Of two texts: one that was measured before too, and one that was not.
inline std::string distill_json(const std::string& name) {
  return R"({"schema": 1, "steps": 800, "trained": 100, "first": {}, "last": {},
"before": {"H)" +
         name + R"(": {"perplexity": 64.0, "kld": {"mean": 0.25}, "top1_agreement": 0.641}},
"after": {"H)" +
         name +
         R"(": {"perplexity": 56.0, "reference_perplexity": 54.0, "kld": {"mean": 0.0625}, "top1_agreement": 0.787},
"late": {"perplexity": 33.3}}})";
}

inline std::string training_json(const std::string& name) {
  return R"({"schema": 1, "teacher_sha256": "cc33", "student_sha256": "dd44", "text_sha256": "ee55",
"tokens_a_step": 1024, "steps": 800, "loss": "forward", "labels": 0.25, "temperature": 1, "trained": "all)" +
         name + R"("})";
}

// The golden artefact (two layers, several schemes) with results beside it.
inline void write_folder(const io::TempDir& dir, const std::string& name = kHostile) {
  namespace fs = std::filesystem;
  const fs::path golden = fs::path(FARTHING_SOURCE_DIR) / "tests/golden/artefact";
  for (const char* file : {"config.json", "farthing.json", "model.safetensors"})
    fs::copy_file(golden / file, dir.path(file), fs::copy_options::overwrite_existing);
  dir.write("farthing.eval.json", eval_json(name));
  dir.write("farthing.bench.json", bench_json(name));
  dir.write("farthing.tune.json", tune_json(name));
  dir.write("farthing.calibrate.json", calibrate_json(name));
  dir.write("farthing.distill.json", distill_json(name));
  dir.write("farthing.training.json", training_json(name));
}

}  // namespace farthing::report
