// The parts of a tokenizer.json other than its model.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "text/pipeline.h"

namespace farthing::text {

// Each takes the JSON of a part, null for none. Error: bad input for a field of the wrong type,
// unsupported for an unknown "type".
NormalizerPtr read_normalizer(const Json& part, std::string_view where);
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& part, std::string_view where);
DecoderPtr read_decoder(const Json& part, std::string_view where);
// The ids that a post-processor puts around a single text.
Frame read_post_processor(const Json& part, std::string_view where);
std::vector<AddedToken> read_added_tokens(const Json* list, std::string_view where);
AddedToken read_added_token(const Json& token, std::int64_t id, std::string_view where);

// {"String": ...} or {"Regex": ...}
std::shared_ptr<const Pattern> read_pattern(const Json& part, std::string_view where);
// A field that holds exactly one character.
char32_t read_character(const Json& part, std::string_view key, char32_t otherwise,
                        std::string_view where);
[[noreturn]] void unknown_type(std::string_view kind, std::string_view type,
                               std::span<const std::string_view> known, std::string_view where);

}  // namespace farthing::text
