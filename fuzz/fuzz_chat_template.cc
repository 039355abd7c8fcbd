// A chat template over a conversation, under limits small enough that a fuzzer can reach them. What
// follows a zero byte is the variables in JSON.
// Layer: text
#include "fuzz/fuzz.h"
#include "text/chat_template.h"

namespace {

farthing::Json conversation() {
  using farthing::Json;
  return Json::parse(R"({"messages": [{"role": "system", "content": "Be <b>kind</b>."},
    {"role": "user", "content": [{"type": "text", "text": "h\u00e9llo \ud83d\ude00"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
     "function": {"name": "f", "arguments": {"x": [1, 2.5, null, true]}}}]},
    {"role": "tool", "content": "ok", "tool_call_id": "1"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": {}}}}],
    "add_generation_prompt": true, "bos_token": "<s>", "big": 18446744073709551615})");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  static const Json standard = conversation();
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t end = input.find('\0');
  Json variables = standard;
  if (end != std::string_view::npos)
    variables = Json::parse(input.substr(end + 1), nullptr, /*allow_exceptions=*/false);
  fuzz::expect_result_or_complaint([&] {
    const text::ChatTemplate chat(input.substr(0, end), "fuzz.jinja");
    const text::TemplateLimits limits = {
        .steps = 20000, .depth = 50, .output_bytes = 1 << 16, .memory_bytes = 4 << 20};
    const std::string once = chat.render(variables, "2026-11-23", limits);
    // Rendering again gives the same, and never more than was allowed.
    if (once.size() > limits.output_bytes) __builtin_trap();
    if (chat.render(variables, "2026-11-23", limits) != once) __builtin_trap();
  });
  return 0;
}
