// The tokenizer that every file format is read into: added tokens, normaliser, pre-tokenizer,
// model, post-processor, decoder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/model.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace farthing::text {

// Ids around every text when add_special.
struct Frame {
  std::vector<Token> before, after;
};

struct PipelineParts {
  NormalizerPtr normalizer;                     // null: none
  std::unique_ptr<PreTokenizer> pre_tokenizer;  // null: the whole text is one piece
  std::unique_ptr<Model> model;
  DecoderPtr decoder;  // null: spellings joined by spaces
  Frame frame;
  std::vector<AddedToken> added;
  std::optional<Token> bos;
  std::vector<Token> eos;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  // Error: bad input when an added token's id or content belongs to another token.
  explicit PipelineTokenizer(PipelineParts parts);

  std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const override;
  std::string decode(std::span<const Token> ids, bool skip_special = true) const override;
  std::string decode_bytes(std::span<const Token> ids, bool skip_special) const override;
  std::string token_text(Token id) const override;
  std::optional<Token> find(std::string_view token) const override;
  bool is_special(Token id) const override;
  std::int64_t size() const override { return size_; }
  std::optional<Token> bos() const override { return parts_.bos; }
  std::vector<Token> eos() const override { return parts_.eos; }

 private:
  std::string decode_as(std::span<const Token> ids, bool skip_special, bool raw) const;
  void encode_section(std::string_view text, bool starts_input, const EncodeOptions& options,
                      std::span<const std::size_t> barriers, std::vector<Token>& ids) const;
  void encode_pieces(NormalText text, std::vector<Token>& ids) const;

  PipelineParts parts_;
  AddedTokens added_;
  std::vector<bool> special_;  // by id
  std::int64_t size_ = 0;
};

}  // namespace farthing::text
