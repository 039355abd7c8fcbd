#include <fmt/core.h>

#include <algorithm>

#include "bench/advice.h"
#include "bench/table.h"

namespace farthing::bench {
namespace {

const Worth* find(const Advice& advice, std::string_view scheme, std::string_view activations) {
  const auto it = std::ranges::find_if(advice.worths, [&](const Worth& w) {
    return w.scheme == scheme && w.activations == activations;
  });
  return it == advice.worths.end() ? nullptr : &*it;
}

// What the numbers mean for a choice.
std::string sentences(const Advice& advice) {
  std::string text = "\n";
  for (const Precision& p : advice.precisions)
    if (p.name == "bf16" && !p.native)
      text += "bf16 is widened to fp32 here: it saves memory, not arithmetic\n";
  const auto fastest = [&](auto speed, std::string_view phase) {
    const Worth& best = *std::ranges::max_element(advice.worths, {}, speed);
    text += fmt::format("fastest {}: {} with {} inputs, {:.1f} times bf16\n", phase, best.scheme,
                        best.activations, speed(best));
  };
  if (advice.worths.empty()) return text;
  fastest([](const Worth& w) { return w.decode; }, "decode");
  fastest([](const Worth& w) { return w.prefill; }, "prefill");
  for (std::string_view scheme : {"w8g64", "w4g64"}) {
    const Worth *fine = find(advice, scheme, "int16"), *coarse = find(advice, scheme, "int8");
    if (fine == nullptr || coarse == nullptr || coarse->decode <= 0 || coarse->prefill <= 0)
      continue;
    text += fmt::format(
        "{}: int16 inputs keep {:.0f} % of the decode and {:.0f} % of the prefill "
        "speed of int8 inputs\n",
        scheme, 100 * fine->decode / coarse->decode, 100 * fine->prefill / coarse->prefill);
  }
  return text;
}

}  // namespace

std::string advice_text(const Advice& advice) {
  std::string text =
      fmt::format("{} | {} | {} thread{} | reads {:.1f} GB/s\n\n", advice.cpu, advice.isas,
                  advice.threads, advice.threads == 1 ? "" : "s", advice.read_gb_s);
  double most = 0, fastest = 0;
  for (const Precision& p : advice.precisions) most = std::max(most, p.gop_s);
  for (const Worth& w : advice.worths) fastest = std::max({fastest, w.decode, w.prefill});
  Table precisions({{"computes", false}, {"GOP/s"}, {"", false}, {"native", false}, {"by", false}});
  for (const Precision& p : advice.precisions)
    precisions.add({p.name, fmt::format("{:.0f}", p.gop_s), bar(p.gop_s / most, 16),
                    p.native ? "yes" : "no", p.method});
  text += precisions.text() + "\nspeed of a linear layer against bf16 (1.0)\n";
  Table worths({{"scheme", false},
                {"inputs", false},
                {"bits"},
                {"decode"},
                {"", false},
                {"prefill"},
                {"", false},
                {"of roof"},
                {"kernel", false}});
  for (const Worth& w : advice.worths)
    worths.add({w.scheme, w.activations, fmt::format("{:.1f}", w.bits),
                fmt::format("{:.2f}", w.decode), bar(w.decode / fastest, 16),
                fmt::format("{:.2f}", w.prefill), bar(w.prefill / fastest, 16),
                fmt::format("{:.0f} / {:.0f} %", 100 * w.decode_share, 100 * w.prefill_share),
                w.kernel});
  return text + worths.text() + sentences(advice);
}

}  // namespace farthing::bench
