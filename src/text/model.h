// The part of a tokenizer that turns one piece of normalised, pre-split text into ids.
#pragma once

#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace farthing::text {

class Model {
 public:
  explicit Model(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  virtual ~Model() = default;
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // Appends the ids of a piece (valid UTF-8). Error: bad input when a character is unknown and the
  // vocabulary lacks the token for that.
  virtual void encode(std::string_view piece, std::vector<Token>& ids) const = 0;

  // These ids must not come out of ordinary text any more, however it is spelled.
  virtual void hide(const std::vector<Token>& ids) {
    for (const Token id : ids) vocabulary_.hide(id);
  }

 protected:
  Vocabulary vocabulary_;
};

}  // namespace farthing::text
