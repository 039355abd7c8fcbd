#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/decoder.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens) {
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

std::size_t bytes_of(const Tokens& tokens) {
  std::size_t bytes = 0;
  for (const std::string& token : tokens) bytes += token.size();
  return bytes;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  if (what.empty() || text.find(what) == std::string::npos) return;
  std::string out;
  std::size_t at = 0;
  for (std::size_t found = text.find(what); found != std::string::npos;
       found = text.find(what, at)) {
    out.append(text, at, found - at);
    out += by;
    at = found + what.size();
  }
  out.append(text, at);
  text = std::move(out);
}

// The spaces that a tokenizer of English puts before punctuation and clitics.
void clean_up(std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {
      {{" .", "."},
       {" ?", "?"},
       {" !", "!"},
       {" ,", ","},
       {" ' ", "'"},
       {" n't", "n't"},
       {" 'm", "'m"},
       {" do not", " don't"},
       {" 's", "'s"},
       {" 've", "'ve"},
       {" 're", "'re"}}};
  for (const auto& [what, by] : kRules) replace_all(text, what, by);
}

template <class Each>  // each(tokens, raw)
class SimpleDecoder final : public Decoder {
 public:
  explicit SimpleDecoder(Each each) : each_(std::move(each)) {}
  void apply(Tokens& tokens, bool raw, std::size_t) const override { each_(tokens, raw); }

 private:
  Each each_;
};
template <class Each>
DecoderPtr make_simple(Each each) {
  return std::make_unique<SimpleDecoder<Each>>(std::move(each));
}

void decode_byte_level(Tokens& tokens, bool raw) {
  std::string bytes;
  const ByteAlphabet& alphabet = ByteAlphabet::get();
  for (const std::string& token : tokens)
    if (!alphabet.append_bytes(token, bytes)) bytes += token;
  if (!raw && !is_utf8(bytes)) bytes = repair_utf8(bytes);
  tokens.assign(1, std::move(bytes));
}

int byte_fallback_value(const std::string& token) {  // also lower-case digits, as the original
  if (token.size() != 6) return -1;
  std::string upper = token;
  for (std::size_t i : {3, 4})
    if (upper[i] >= 'a' && upper[i] <= 'f') upper[i] = static_cast<char>(upper[i] - 32);
  return byte_of_token(upper);
}

// A run of byte tokens is one string; when that is not UTF-8, each byte is U+FFFD.
void decode_byte_fallback(Tokens& tokens, bool raw) {
  Tokens out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (raw || is_utf8(bytes))
      out.push_back(std::move(bytes));
    else
      out.insert(out.end(), bytes.size(), to_utf8(kReplacement));
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = byte_fallback_value(token); byte >= 0) {
      bytes.push_back(static_cast<char>(byte));
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

void strip_token(std::string& token, const std::string& content, std::size_t start,
                 std::size_t stop) {
  std::string_view left = token;
  for (std::size_t i = 0; i < start && left.starts_with(content); ++i)
    left.remove_prefix(content.size());
  for (std::size_t i = 0; i < stop && left.ends_with(content); ++i)
    left.remove_suffix(content.size());
  token = std::string(left);
}

class ReplaceDecoder final : public Decoder {
 public:
  ReplaceDecoder(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(Tokens& tokens, bool raw, std::size_t limit) const override {
    std::size_t size = 0;  // of the tokens done
    for (std::string& token : tokens) {
      const std::size_t held = raw ? unfinished_utf8(token) : 0;
      const std::string tail = token.substr(token.size() - held);
      token.resize(token.size() - held);
      if (raw && !is_utf8(token)) token = repair_utf8(token);
      token = replaced(token, limit - std::min(limit, size)) + tail;
      size += token.size();
    }
  }

 private:
  std::string replaced(const std::string& token, std::size_t limit) const {
    std::vector<Match> matches;
    pattern_->find(token, matches);
    std::string out;
    std::size_t at = 0;
    for (const Match& match : matches) {
      out.append(token, at, match.begin - at);
      out += content_;
      at = match.end;
      check_growth("decoder", out.size(), limit);
    }
    return out.append(token, at);
  }

  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(std::vector<DecoderPtr> parts) : parts_(std::move(parts)) {}
  void apply(Tokens& tokens, bool raw, std::size_t limit) const override {
    for (const auto& part : parts_) {
      part->apply(tokens, raw, limit);
      check_growth("decoder", bytes_of(tokens), limit);
    }
  }

 private:
  std::vector<DecoderPtr> parts_;
};

}  // namespace

DecoderPtr make_byte_level_decoder() { return make_simple(decode_byte_level); }
DecoderPtr make_byte_fallback_decoder() { return make_simple(decode_byte_fallback); }
DecoderPtr make_fuse_decoder() {
  return make_simple([](Tokens& tokens, bool) { tokens.assign(1, joined(tokens)); });
}

DecoderPtr make_metaspace_decoder(char32_t replacement, bool drops_first) {
  return make_simple([mark = to_utf8(replacement), drops_first](Tokens& tokens, bool) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], mark, i == 0 && drops_first ? "" : " ");
  });
}

DecoderPtr make_word_piece_decoder(std::string prefix, bool cleanup) {
  return make_simple([prefix = std::move(prefix), cleanup](Tokens& tokens, bool) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix))
        tokens[i].erase(0, prefix.size());
      else if (i > 0)
        tokens[i] = " " + std::move(tokens[i]);
      if (cleanup) clean_up(tokens[i]);
    }
  });
}

DecoderPtr make_bpe_decoder(std::string suffix) {
  return make_simple([suffix = std::move(suffix)](Tokens& tokens, bool) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
  });
}

DecoderPtr make_strip_decoder(char32_t content, std::size_t start, std::size_t stop) {
  return make_simple([content = to_utf8(content), start, stop](Tokens& tokens, bool) {
    for (std::string& token : tokens) strip_token(token, content, start, stop);
  });
}

DecoderPtr make_replace_decoder(std::shared_ptr<const Pattern> pattern, std::string content) {
  return std::make_unique<ReplaceDecoder>(std::move(pattern), std::move(content));
}

DecoderPtr make_ctc_decoder(std::string pad, std::string delimiter, bool cleanup) {
  return make_simple(
      [pad = std::move(pad), delimiter = std::move(delimiter), cleanup](Tokens& tokens, bool) {
        tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
        for (std::string& token : tokens) {
          replace_all(token, pad, "");
          if (!cleanup) continue;
          clean_up(token);
          replace_all(token, delimiter, " ");
        }
        std::erase(tokens, "");
      });
}

DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> parts) {
  return std::make_unique<DecoderSequence>(std::move(parts));
}

}  // namespace farthing::text
