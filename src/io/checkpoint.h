// A checkpoint as its files have it: a configuration and named tensors. Hugging Face directories
// (safetensors, one file or sharded; plain or compressed) and GGUF files look the same from here.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/quantized_tensor.h"
#include "io/json.h"

namespace farthing::io {

// A tensor of a file, uninterpreted. dtype is safetensors' ("BF16", "I32") or a GGUF type ("Q4_K").
// shape is outermost first (GGUF's is turned round).
struct TensorInfo {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  ByteSpan bytes;
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  // Opens a Hugging Face directory, a .gguf file, or "org/name" in the local Hugging Face cache.
  // Error: bad input or unsupported; says what is missing (weights, config.json) and what to do for
  // Git-LFS pointers, pickle files and unfinished downloads.
  static std::unique_ptr<Checkpoint> open(const std::string& model);

  // The same for a tokenizer or a chat template alone: a directory need have neither weights nor
  // config.json (which is then empty), and its weights are not looked at.
  static std::unique_ptr<Checkpoint> open_texts(const std::string& model);

  virtual std::string path() const = 0;
  virtual bool is_gguf() const = 0;
  // config.json; for GGUF the same keys made from its metadata ("architectures", "hidden_size",
  // ...).
  virtual const Json& config() const = 0;
  // A text file that lies beside the weights ("tokenizer.json", "generation_config.json",
  // "tokenizer_config.json", "chat_template.jinja"); none for GGUF, whose vocabulary is metadata().
  virtual std::optional<std::string> text_file(std::string_view name) const = 0;
  virtual const Json* metadata() const = 0;  // GGUF key-values; null for directories

  virtual std::span<const TensorInfo> tensors() const = 0;
  virtual const TensorInfo* find(std::string_view name) const = 0;

  // The matrix called `base` (without ".weight"), in the format the files have it: bits as stored,
  // borrowed. A rank-1 tensor is one row; a rank-3 tensor of `slices` experts gives expert `slice`.
  // GGUF block types keep their blocks. For compressed-tensors and Farthing artefacts the parts are
  // joined and the scheme read from quantization_config. nullopt when there is no such tensor.
  virtual std::optional<QuantizedTensor> matrix(std::string_view base, int slice = 0,
                                                int slices = 1) const = 0;
  // The activation scheme that the artefact fixed for the linear `base`; nullopt: not compressed.
  virtual std::optional<ActivationScheme> activations(std::string_view base) const = 0;
  // What was read need not stay resident.
  virtual void release(const QuantizedTensor& tensor) const = 0;
};

}  // namespace farthing::io
