// Golden tokenizers, and a checkpoint that has only the text files a test gives it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/checkpoint.h"
#include "text/tokenizer.h"

namespace farthing::text {

inline std::string golden_file(const std::string& name) {
  std::ifstream file(FARTHING_SOURCE_DIR "/tests/golden/tokenizers/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

using Files = std::map<std::string, std::string>;

class TextFiles final : public io::Checkpoint {
 public:
  explicit TextFiles(Files files, Json config = Json::object())
      : files_(std::move(files)), config_(std::move(config)) {}
  static TextFiles gguf(Json metadata) {
    TextFiles checkpoint{Files{}};
    checkpoint.metadata_ = std::move(metadata);
    return checkpoint;
  }

  std::string path() const override { return "model"; }
  bool is_gguf() const override { return metadata_.has_value(); }
  const Json& config() const override { return config_; }
  std::optional<std::string> text_file(std::string_view name) const override {
    const auto found = files_.find(std::string(name));
    return found == files_.end() ? std::nullopt : std::optional(found->second);
  }
  const Json* metadata() const override { return metadata_ ? &*metadata_ : nullptr; }
  std::span<const io::TensorInfo> tensors() const override { return {}; }
  const io::TensorInfo* find(std::string_view) const override { return nullptr; }
  std::optional<QuantizedTensor> matrix(std::string_view, int, int) const override {
    return std::nullopt;
  }
  std::optional<ActivationScheme> activations(std::string_view) const override {
    return std::nullopt;
  }
  void release(const QuantizedTensor&) const override {}

 private:
  Files files_;
  Json config_;
  std::optional<Json> metadata_;
};

using Ids = std::vector<Token>;

// The Error that `body` throws must be of `fault` and its sentence hold `part`, on one line.
template <class Body>
void expect_fault(Fault fault, const std::string& part, const Body& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected one about: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.fault), static_cast<int>(fault)) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

}  // namespace farthing::text
