// Options of a verb. The command-line library stands behind this header, in options.cc and main.cc
// alone: its headers cost every file that sees them six seconds of compilation.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace farthing::cli {

// What may still be said about an option that was added.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  const Option* operator->() const { return this; }

  Option required(bool value = true) const;
  Option expected(int count) const;  // values each time it is given
  Option expected(int least, int most) const;
  Option take_all() const;  // given several times, all count
  Option delimiter(char between) const;
  Option show_default() const;  // in --help
  Option positive() const;      // otherwise: usage
  Option not_negative() const;
  Option within(int least, int most) const;
  Option bytes() const;  // a number with a unit, as in 8GB
  bool given() const;    // once the command line is parsed

 private:
  CLI::Option* option_;
};

class VerbOptions {
 public:
  explicit VerbOptions(CLI::App& app) : app_(app) {}

  // names: "--seed", or "MODEL" for a positional. Parsing sets the variable, which must outlive it.
  // T: the types at the end of options.cc.
  template <class T>
  Option add_option(const std::string& names, T& variable, const std::string& help);
  Option add_flag(const std::string& names, bool& variable, const std::string& help);
  Option get_option(const std::string& name) const;
  void callback(std::function<void()> run);

 private:
  CLI::App& app_;
};

}  // namespace farthing::cli
