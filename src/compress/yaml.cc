// YAML by events of yaml-cpp, so that the limits hold while reading and every value keeps its line.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "compress/setting.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view where, const YamlLimits& limits) : where_(where), limits_(limits) {}

  Setting take_result() { return std::move(result_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    put(made(mark, Setting::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    if (!is_utf8(value)) bad_input("{}: text must be UTF-8", place(mark));
    const bool plain = tag == "?";
    const bool null = plain && (value == "~" || value == "null");
    Setting setting = made(mark, null ? Setting::Kind::kNull : Setting::Kind::kScalar);
    if (!null) setting.text = value;
    setting.quoted = !plain;
    put(std::move(setting));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(mark, Setting::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    open(mark, Setting::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Setting setting;
    std::string key;
    bool has_key = false;
  };

  std::string place(const YAML::Mark& mark) const {
    return fmt::format("{}:{}", where_, mark.line + 1);
  }
  Setting made(const YAML::Mark& mark, Setting::Kind kind) const {
    Setting setting;
    setting.kind = kind;
    setting.where = place(mark);
    return setting;
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0)
      bad_input("{}: a recipe has no YAML anchors (&) and aliases (*); write the value out",
                place(mark));
  }

  void open(const YAML::Mark& mark, Setting::Kind kind) {
    if (open_.size() >= static_cast<std::size_t>(limits_.depth))
      bad_input("{}: nested deeper than {} levels, which is the limit", place(mark), limits_.depth);
    open_.push_back({made(mark, kind), "", false});
  }
  void close() {
    Setting setting = std::move(open_.back().setting);
    open_.pop_back();
    put(std::move(setting));
  }

  void put(Setting setting) {
    if (++values_ > limits_.values)
      bad_input("{}: more than {} values, which is the limit", where_, limits_.values);
    if (open_.empty()) {
      result_ = std::move(setting);
      return;
    }
    Open& parent = open_.back();
    if (parent.setting.kind == Setting::Kind::kList) {
      parent.setting.items.push_back(std::move(setting));
    } else if (!parent.has_key) {
      if (setting.kind != Setting::Kind::kScalar)
        bad_input("{}: a key must be a text", setting.where);
      if (parent.setting.find(setting.text) != nullptr)
        bad_input("{}: the key \"{}\" occurs twice", setting.where, printable(setting.text));
      // Finding a key walks the map, so a map has to be small.
      if (parent.setting.members.size() >= 200)
        bad_input("{}: a map of more than 200 keys", setting.where);
      parent.key = std::move(setting.text);
      parent.has_key = true;
    } else {
      parent.setting.members.push_back({std::move(parent.key), std::move(setting)});
      parent.has_key = false;
    }
  }

  std::string_view where_;
  YamlLimits limits_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
  Setting result_;
};

}  // namespace

Setting parse_yaml(std::string_view text, std::string_view where, YamlLimits limits) {
  if (text.size() > limits.bytes)
    bad_input("{}: {} of YAML, the limit is {}", where, human_bytes(text.size()),
              human_bytes(limits.bytes));
  std::istringstream stream{std::string(text)};
  Builder builder(where, limits);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return {};
    Builder rest(where, limits);
    if (parser.HandleNextDocument(rest))
      bad_input("{}: holds more than one YAML document; a recipe is one", where);
  } catch (const YAML::Exception& error) {
    bad_input("{}:{}: not valid YAML: {}", where, error.mark.line + 1, printable(error.msg, 160));
  }
  return builder.take_result();
}

}  // namespace farthing::compress
