// Text to token ids and back, as the model's own tokenizer does it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace farthing::io {
class Checkpoint;
}

namespace farthing::text {

using Token = std::int32_t;

struct EncodeOptions {
  bool add_special = true;    // what the post-processor adds (BOS, EOS)
  bool parse_special = true;  // "<|im_start|>" in the text is the token, not the characters
  // Byte offsets, ascending, that no token of parse_special may span: see text/content_guard.h.
  std::span<const std::size_t> barriers = {};
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Reads tokenizer.json, else tokenizer.model, else vocab.json + merges.txt, else the GGUF
  // vocabulary. Null when the checkpoint brings none. Error: bad input, unsupported.
  static std::unique_ptr<Tokenizer> load(const io::Checkpoint& checkpoint);
  static std::unique_ptr<Tokenizer> from_tokenizer_json(std::string_view json,
                                                        std::string_view where);
  static std::unique_ptr<Tokenizer> from_sentencepiece(std::string_view model_bytes,
                                                       std::string_view where);

  virtual std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const = 0;
  // The text of the ids together; special tokens are left out unless asked for.
  virtual std::string decode(std::span<const Token> ids, bool skip_special = true) const = 0;
  // The same, but bytes that are not (yet) UTF-8 stay as they are: what StreamDecoder works on.
  virtual std::string decode_bytes(std::span<const Token> ids, bool skip_special) const {
    return decode(ids, skip_special);
  }
  // The vocabulary's own spelling of a token ("Ġthe", "<0x0A>"); "" when out of range.
  virtual std::string token_text(Token id) const = 0;
  virtual std::optional<Token> find(std::string_view token) const = 0;
  virtual bool is_special(Token id) const = 0;
  virtual std::int64_t size() const = 0;  // largest id + 1
  virtual std::optional<Token> bos() const = 0;
  virtual std::vector<Token> eos() const = 0;
};

// Turns a stream of tokens into a stream of text that never splits a character: bytes of an
// unfinished UTF-8 sequence are held back until it is whole.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);
  std::string push(Token id);  // the text that this token completes, maybe ""
  std::string finish();        // what is held back, invalid bytes as U+FFFD; then starts anew

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::vector<Token> ids_;  // the last tokens whose text is out, then those that wait
  std::size_t given_ = 0;   // bytes of the text of ids_ that are out
};

}  // namespace farthing::text
