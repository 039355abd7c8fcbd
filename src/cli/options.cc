#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/text.h"

namespace farthing::cli {
namespace {

// A check that says its rule and what it found; the option's name stands before the sentence.
template <class Fits>
CLI::Validator number_that(std::string rule, std::string kind, Fits fits) {
  return CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        return number && fits(value) ? std::string()
                                     : fmt::format("must be {}; got {}", rule, printable(text));
      },
      std::move(kind));
}

}  // namespace

Option Option::required(bool value) const { return Option(option_->required(value)); }
Option Option::expected(int count) const { return Option(option_->expected(count)); }
Option Option::expected(int least, int most) const {
  return Option(option_->expected(least, most));
}
Option Option::take_all() const { return Option(option_->take_all()); }
Option Option::delimiter(char between) const { return Option(option_->delimiter(between)); }
Option Option::show_default() const { return Option(option_->capture_default_str()); }
Option Option::positive() const {
  return Option(option_->check(number_that("above 0", "POSITIVE", [](double x) { return x > 0; })));
}
Option Option::not_negative() const {
  return Option(
      option_->check(number_that("0 or more", "NONNEGATIVE", [](double x) { return x >= 0; })));
}
Option Option::within(int least, int most) const {
  return Option(option_->check(number_that(fmt::format("from {} to {}", least, most),
                                           fmt::format("{}..{}", least, most),
                                           [=](double x) { return x >= least && x <= most; })));
}
Option Option::bytes() const { return Option(option_->transform(CLI::AsSizeValue(false))); }
bool Option::given() const { return option_->count() > 0; }

template <class T>
Option VerbOptions::add_option(const std::string& names, T& variable, const std::string& help) {
  return Option(app_.add_option(names, variable, help));
}
Option VerbOptions::add_flag(const std::string& names, bool& variable, const std::string& help) {
  return Option(app_.add_flag(names, variable, help));
}
Option VerbOptions::get_option(const std::string& name) const {
  return Option(app_.get_option(name));
}
void VerbOptions::callback(std::function<void()> run) { app_.callback(std::move(run)); }

// The types that options have.
template Option VerbOptions::add_option(const std::string&, std::string&, const std::string&);
template Option VerbOptions::add_option(const std::string&, int&, const std::string&);
template Option VerbOptions::add_option(const std::string&, std::int64_t&, const std::string&);
template Option VerbOptions::add_option(const std::string&, std::uint64_t&, const std::string&);
template Option VerbOptions::add_option(const std::string&, float&, const std::string&);
template Option VerbOptions::add_option(const std::string&, double&, const std::string&);
template Option VerbOptions::add_option(const std::string&, std::optional<std::string>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::optional<int>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::optional<float>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::optional<double>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::optional<std::int64_t>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::vector<std::string>&,
                                        const std::string&);
template Option VerbOptions::add_option(const std::string&, std::vector<int>&, const std::string&);
template Option VerbOptions::add_option(const std::string&, std::vector<std::int64_t>&,
                                        const std::string&);

}  // namespace farthing::cli
