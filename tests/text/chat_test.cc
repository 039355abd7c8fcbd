// Which template and which variables a checkpoint gives, as transformers' apply_chat_template does.
#include "text/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace farthing::text {
namespace {

using testing::HasSubstr;

// Files beside weights that are not there.
class Files final : public io::Checkpoint {
 public:
  Files(std::initializer_list<std::pair<const std::string, std::string>> files,
        const Json& metadata = nullptr)
      : files_(files), metadata_(metadata) {}
  Files(const Files&) = delete;

  std::string path() const override { return "model"; }
  bool is_gguf() const override { return !metadata_.is_null(); }
  const Json& config() const override { return config_; }
  std::optional<std::string> text_file(std::string_view name) const override {
    const auto at = files_.find(name);
    return at == files_.end() ? std::nullopt : std::optional(at->second);
  }
  const Json* metadata() const override { return is_gguf() ? &metadata_ : nullptr; }
  std::span<const io::TensorInfo> tensors() const override { return {}; }
  const io::TensorInfo* find(std::string_view) const override { return nullptr; }
  std::optional<QuantizedTensor> matrix(std::string_view, int, int) const override { return {}; }
  std::optional<ActivationScheme> activations(std::string_view) const override { return {}; }
  void release(const QuantizedTensor&) const override {}

 private:
  std::map<std::string, std::string, std::less<>> files_;
  Json metadata_;
  Json config_ = Json::object();
};

const Json kHello = {{{"role", "user"}, {"content", "Hi"}}};
const Json kTools = {{{"type", "function"}}};

std::string render(const Files& files, const Json* tools = nullptr, const Json* more = nullptr) {
  return render_chat(files, kHello, tools, "2026-11-23", true, more);
}

std::string failure(const Files& files, const Json& messages = kHello, const Json* more = nullptr) {
  try {
    render_chat(files, messages, nullptr, "", true, more);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kBadInput);
    return error.what();
  }
  return "no error";
}

TEST(Chat, TheFileOfItsOwnGoesBeforeTheOneInTheConfiguration) {
  const std::string config = R"({"chat_template": "config {{ messages[0].content }}"})";
  EXPECT_EQ(render(Files({{"tokenizer_config.json", config}})), "config Hi");
  EXPECT_EQ(render(Files({{"tokenizer_config.json", config}, {"chat_template.jinja", "file\n"}})),
            "file");
}

TEST(Chat, OfSeveralTemplatesTheOneForToolsIsTakenWithTools) {
  const Files list({{"tokenizer_config.json",
                     R"({"chat_template": [{"name": "default", "template": "plain"},
                         {"name": "tool_use", "template": "{{ tools | length }} tools"}]})"}});
  EXPECT_EQ(render(list), "plain");
  EXPECT_EQ(render(list, &kTools), "1 tools");
  const Files files({{"chat_template.jinja", "plain"},
                     {"additional_chat_templates/tool_use.jinja", "with tools"}});
  EXPECT_EQ(render(files), "plain");
  EXPECT_EQ(render(files, &kTools), "with tools");
  const Files gguf({}, {{"tokenizer.chat_template", "plain"},
                        {"tokenizer.chat_template.tool_use", "with tools"}});
  EXPECT_EQ(render(gguf), "plain");
  EXPECT_EQ(render(gguf, &kTools), "with tools");
  EXPECT_THAT(failure(Files({{"tokenizer_config.json",
                              R"({"chat_template": [{"name": "rag", "template": "x"}]})"}})),
              HasSubstr("none of them is called default"));
}

TEST(Chat, SpecialTokensAreVariables) {
  const std::string source = "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}|{{ image_token }}";
  const std::string config =
      R"({"bos_token": "<s>", "eos_token": {"__type": "AddedToken", "content": "</s>"},
          "pad_token": null, "image_token": "<image>", "add_bos_token": true)";
  const std::string map = R"({"bos_token": {"content": "<map>"}, "pad_token": "<pad>"})";
  EXPECT_EQ(render(Files({{"chat_template.jinja", source},
                          {"tokenizer_config.json", config + R"(, "added_tokens_decoder": {}})"},
                          {"special_tokens_map.json", map}})),
            "<s>|</s>||<image>");
  EXPECT_EQ(render(Files({{"chat_template.jinja", source},
                          {"tokenizer_config.json", config + "}"},
                          {"special_tokens_map.json", map}})),
            "<map>|</s>|<pad>|<image>");
  EXPECT_EQ(render(Files({{"chat_template.jinja", "{{ audio }}{{ x is defined }}"},
                          {"tokenizer_config.json",
                           R"({"extra_special_tokens": {"audio": "<a>", "x": 5}})"}})),
            "<a>False");
  EXPECT_EQ(render(Files({}, {{"tokenizer.chat_template", source},
                              {"tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>"}},
                              {"tokenizer.ggml.bos_token_id", 1},
                              {"tokenizer.ggml.eos_token_id", 2},
                              {"tokenizer.ggml.padding_token_id", 99}})),
            "<s>|</s>||");
}

TEST(Chat, WhatTransformersAlwaysDefinesIsDefined) {
  EXPECT_EQ(render(Files({{"chat_template.jinja",
                           "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}"
                           "{{ strftime_now('%d') }}"}})),
            "TrueTrueTrue23");
}

TEST(Chat, ReasoningIsUnderTheNamesThatTemplatesRead) {
  const Files files({{"chat_template.jinja", "{{ messages[0] | tojson }}"}});
  const auto seen = [&](const char* message) {
    return render_chat(files, Json::array({Json::parse(message)}), nullptr, "", false);
  };
  EXPECT_EQ(seen(R"({"role": "a", "reasoning": "r"})"),
            R"({"thinking": "r", "role": "a", "reasoning": "r", "reasoning_content": "r"})");
  EXPECT_EQ(seen(R"({"reasoning_content": "c", "role": "a", "thinking": "t"})"),
            R"({"thinking": "t", "reasoning_content": "c", "role": "a"})");
  EXPECT_EQ(seen(R"({"role": "a", "thinking": null})"), R"({"role": "a"})");
}

// transformers drops them, as clients send null for what a message lacks.
TEST(Chat, NullFieldsOfAMessageAreLeftOut) {
  const Files files({{"chat_template.jinja",
                      "{% for m in messages %}{{ m.content is defined }} {{ m | tojson }} "
                      "{% endfor %}"}});
  const Json messages = Json::parse(
      R"([{"role": "a", "content": null, "tool_calls": [{"x": null}]}, {"role": "b", "content": ""}])");
  EXPECT_EQ(
      render_chat(files, messages, nullptr, "", false),
      R"(False {"role": "a", "tool_calls": [{"x": null}]} True {"role": "b", "content": ""} )");
}

TEST(Chat, FurtherVariablesCannotReplaceTheConversation) {
  const Files files({{"chat_template.jinja", "{{ enable_thinking }} {{ bos_token }}"}});
  const Json more = {{"enable_thinking", false}, {"bos_token", "<mine>"}};
  EXPECT_EQ(render(files, nullptr, &more), "False <mine>");
  for (const char* name : {"messages", "tools", "add_generation_prompt"}) {
    const Json taken = {{name, 1}};
    EXPECT_THAT(failure(files, kHello, &taken), HasSubstr("is given by the request itself"));
  }
}

TEST(Chat, SaysWhatIsMissingOrWrong) {
  EXPECT_THAT(failure(Files({})), HasSubstr("has no chat template"));
  EXPECT_EQ(ChatTemplate::load(Files({})), nullptr);
  const Files files({{"chat_template.jinja", "x"}});
  EXPECT_THAT(failure(files, "text"), HasSubstr("messages must be a list of objects"));
  EXPECT_THAT(failure(files, Json::array()), HasSubstr("at least one message"));
  EXPECT_THAT(failure(files, Json::array({1})), HasSubstr("messages must be a list of objects"));
  EXPECT_THAT(failure(Files({{"tokenizer_config.json", R"({"chat_template": 5})"}})),
              HasSubstr("chat_template must be a text or a list"));
  EXPECT_THAT(failure(Files({{"tokenizer_config.json", R"({"chat_template": [1]})"}})),
              HasSubstr("must be an object"));
  EXPECT_THAT(failure(Files({{"tokenizer_config.json", "[]"}})), HasSubstr("must be an object"));
  EXPECT_THAT(failure(Files({{"chat_template.jinja", "{% if %}"}})),
              HasSubstr("chat_template.jinja, line 1:"));
}

}  // namespace
}  // namespace farthing::text
