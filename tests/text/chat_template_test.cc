#include "text/chat_template.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace farthing::text {
namespace {

TEST(ChatTemplate, RendersAConversationInChatMl) {
  const ChatTemplate chat(
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
      "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
      "test");
  const Json variables = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}},
                          {"add_generation_prompt", true}};
  EXPECT_EQ(chat.render(variables), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

}  // namespace
}  // namespace farthing::text
