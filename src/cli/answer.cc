#include "cli/answer.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "text/chat.h"
#include "text/content_guard.h"

namespace farthing::cli {

void add_answer_options(VerbOptions& verb, AnswerOptions& o) {
  verb.add_option("--max-tokens", o.max_tokens, "At most so many new tokens")->show_default();
  verb.add_option("--temperature", o.temperature,
                  "0 is greedy (default: generation_config.json, else 0)");
  verb.add_option("--top-k", o.top_k, "Sample from the k most likely tokens; 0 is all");
  verb.add_option("--top-p", o.top_p, "Sample from the fewest tokens whose probability reaches p");
  verb.add_option("--min-p", o.min_p, "Sample from tokens at least p times as likely as the best");
  verb.add_option("--repetition-penalty", o.repetition_penalty,
                  "Divides the logits of tokens in the context; 1 is off");
  verb.add_option("--seed", o.seed, "Seed of the sampling")->not_negative()->show_default();
  verb.add_option("--stop", o.stop, "Stop at this text; may be given several times");
  verb.add_flag("--greedy", o.greedy,
                "The most likely token each time, whatever generation_config.json says");
  verb.add_flag("--ignore-eos", o.ignore_eos, "Do not stop at the end-of-text token");
}

namespace {

// What generation_config.json asks for. Error: bad input that names it.
engine::SamplingOptions sampling_of(const io::Checkpoint& checkpoint) {
  constexpr std::string_view kFile = "generation_config.json";
  const auto text = checkpoint.text_file(kFile);
  const Json json = text ? parse_json(*text, kFile) : Json::object();
  const auto number = [&](std::string_view key, double otherwise) {
    return json_number(json, key, otherwise, kFile);
  };
  engine::SamplingOptions s{.temperature = 0};
  if (json_bool(json, "do_sample", false, kFile)) {
    s.temperature = number("temperature", 1.0);
    s.top_k = static_cast<int>(std::clamp(number("top_k", 0), -1.0, 1e9));
    s.top_p = number("top_p", 1.0);
    s.min_p = number("min_p", 0.0);
  }
  s.repetition_penalty = number("repetition_penalty", 1.0);
  engine::check(s, kFile);
  return s;
}

}  // namespace

engine::GenerateOptions generate_options(const AnswerOptions& o, const io::Checkpoint& checkpoint) {
  engine::GenerateOptions options{.sampling = sampling_of(checkpoint),
                                  .max_tokens = o.max_tokens,
                                  .stop = o.stop,
                                  .ignore_eos = o.ignore_eos};
  auto& s = options.sampling;
  s.temperature = o.greedy ? 0 : o.temperature.value_or(s.temperature);
  s.top_k = o.top_k.value_or(s.top_k);
  s.top_p = o.top_p.value_or(s.top_p);
  s.min_p = o.min_p.value_or(s.min_p);
  s.repetition_penalty = o.repetition_penalty.value_or(s.repetition_penalty);
  s.seed = o.seed;
  for (const std::string& stop : o.stop)
    if (stop.empty()) usage_error("--stop must be a text; got an empty one, which is everywhere");
  if (o.max_tokens < 1) usage_error("--max-tokens must be at least 1; got {}", o.max_tokens);
  engine::check(s);
  return options;
}

Talker::Talker(const io::Checkpoint& checkpoint, Needs needs)
    : checkpoint_(checkpoint), tokenizer_(text::Tokenizer::load(checkpoint)) {
  if (!tokenizer_) {
    if (needs.may_lack_tokenizer) return;
    bad_input(
        "{}: has no tokenizer (tokenizer.json, tokenizer.model or a GGUF vocabulary), so it can "
        "only take token ids (farthing logits, farthing generate --tokens)",
        checkpoint.path());
  }
  if (needs.chat && !text::ChatTemplate::load(checkpoint))
    bad_input(
        "{}: has no chat template; use `farthing generate` without --chat, which continues a text",
        checkpoint.path());
  end_tokens_ = tokenizer_->eos();
}

std::vector<text::Token> Talker::encode_text(std::string_view text) const {
  return tokenizer_->encode(text);
}

std::vector<text::Token> Talker::encode_chat(const Json& messages) const {
  const auto rendered =
      text::render_chat(checkpoint_, text::guard_content(messages, *tokenizer_), nullptr, "", true);
  const auto guarded = text::lift_guards(rendered);
  return tokenizer_->encode(
      guarded.text, {.add_special = false, .parse_special = true, .barriers = guarded.barriers});
}

std::string speed_line(const engine::Generated& r) {
  const auto tokens = static_cast<double>(r.tokens.size());
  return fmt::format("[{} prompt tokens in {:.2f} s; {} tokens at {:.1f} tokens/s; {}]",
                     r.prompt_tokens, r.prefill_seconds, r.tokens.size(),
                     r.decode_seconds > 0 ? tokens / r.decode_seconds : 0,
                     engine::finish_name(r.finish));
}

Json answer_json(const engine::Generated& r, const std::vector<text::Token>& prompt) {
  return {{"schema", 1},
          {"text", r.text},
          {"prompt_ids", prompt},
          {"ids", r.tokens},
          {"finish", engine::finish_name(r.finish)},
          {"prefill_seconds", r.prefill_seconds},
          {"decode_seconds", r.decode_seconds}};
}

}  // namespace farthing::cli
