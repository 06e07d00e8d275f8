// SPDX-License-Identifier: MIT
#include "help.hpp"

#include <algorithm>
#include <vector>

namespace zeroth::cli {
namespace {

/// The column at which descriptions begin.
constexpr std::size_t column = 26;

/// A name and its description, on the same line or, if the name is long, on the next.
std::string entry(std::string const& name, std::string_view description) {
  std::string line = "  " + name;
  line += line.size() + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - line.size(), ' ');
  return line + wrapped(description, column);
}

bool is_shown(CLI::Option const* option) {
  return !option->get_group().empty();
}

/// "--steps N", "--overwrite", "-h, --help".
std::string name_of(CLI::Option const* option) {
  if (option->get_positional()) return option->get_type_name();
  std::string name;
  for (std::string const& one : option->get_snames()) name += (name.empty() ? "-" : ", -") + one;
  for (std::string const& one : option->get_lnames()) name += (name.empty() ? "--" : ", --") + one;
  return option->get_items_expected_max() == 0 ? name : name + " " + option->get_type_name();
}

std::string description_of(CLI::Option const* option) {
  std::string text = option->get_description();
  if (option->get_required()) return text + " (required)";
  if (option->get_items_expected_max() == 0 || option->get_default_str().empty()) return text;
  return text + " (default: " + option->get_default_str() + ")";
}

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_help(CLI::App const* app, std::string /*name*/, CLI::AppFormatMode /*mode*/) const override {
    std::string text = wrapped(app->get_description(), 0) + "\nUsage:\n  " + usage(app);
    std::string const commands = make_commands(app);
    if (!commands.empty()) text += "\nCommands:\n" + commands;
    std::vector<std::string> groups = app->get_groups();
    for (std::string const& group : groups) text += make_options(app, group);
    if (!app->get_footer().empty()) text += "\n" + app->get_footer() + "\n";
    return text;
  }

 private:
  /// The usage line, with everything that is required.
  static std::string usage(CLI::App const* app) {
    std::string line = app->get_parent() == nullptr ? app->get_name() + " COMMAND"
                                                    : app->get_parent()->get_name() + " " + app->get_name();
    bool others = false;
    for (CLI::Option const* option : app->get_options([](CLI::Option const* o) { return is_shown(o); })) {
      if (option->get_required())
        line += " " + name_of(option);
      else if (option->get_positional())
        line += " [" + name_of(option) + "]";
      else
        others = others || option != app->get_help_ptr();
    }
    return wrapped(others || app->get_parent() == nullptr ? line + " [OPTION]..." : line, 4);
  }

  static std::string make_commands(CLI::App const* app) {
    std::string text;
    for (CLI::App const* command : app->get_subcommands([](CLI::App const* c) { return !c->get_name().empty(); }))
      text += entry(command->get_name(), command->get_description());
    return text;
  }

  static std::string make_options(CLI::App const* app, std::string const& group) {
    std::string text;
    for (CLI::Option const* option : app->get_options())
      if (is_shown(option) && option->get_group() == group) text += entry(name_of(option), description_of(option));
    return text.empty() ? text : "\n" + group + ":\n" + text;
  }
};

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t at = indent;  // column
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t const end = std::min(text.find(' ', begin), text.size());
    std::string_view const word = text.substr(begin, end - begin);
    begin = end + 1;
    if (at > indent && at + 1 + word.size() > width) {
      out += "\n" + std::string(indent, ' ');
      at = indent;
    } else if (at > indent) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
  }
  return out + "\n";
}

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  return std::make_shared<HelpFormatter>();
}

}  // namespace zeroth::cli
