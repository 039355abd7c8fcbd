// The documents of a source, before a tokenizer sees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"

namespace farthing::calibrate {

struct Conversation {
  Json messages;  // a list of {role, content, ...}
  Json tools;     // null: none
};

struct Documents {
  std::string name;  // for messages
  std::vector<std::string> texts;
  std::vector<Conversation> conversations;
  std::vector<std::vector<std::int64_t>> ids;  // samples that somebody tokenised before
  std::size_t bytes() const;                   // of the texts
};

// Reads a file; long texts are cut at paragraphs into sections of about `section_bytes`. Error: bad
// input for a file that is missing, empty, not UTF-8 text, or JSON of another form.
Documents read_documents(const std::string& path, std::size_t section_bytes);
// The texts inside of this program (data/calibration).
Documents builtin_documents(std::size_t section_bytes);

// The words of a conversation as plain text, for models without a chat template.
std::string plain_text(const Conversation& conversation);

}  // namespace farthing::calibrate
