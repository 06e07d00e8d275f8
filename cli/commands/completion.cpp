// SPDX-License-Identifier: MIT
#include "completion.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/builtin_tasks.hpp"

namespace zeroth::cli {
namespace {

/// What may be completed where a value is expected.
struct Values {
  std::vector<std::string> words;
  bool files = false;
  bool folders = false;
};

struct CompletedOption {
  std::vector<std::string> names;  ///< "-h", "--help"; none of a positional argument
  std::string summary;
  bool takes_value = false;
  std::string value;  ///< what the help calls it
  Values values = {};
};

struct CompletedCommand {
  std::string name;
  std::string summary;
  std::vector<CompletedOption> options;  ///< those without a name are positional arguments
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    std::size_t const end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Values values_of(std::string const& type) {
  if (type.find('|') != std::string::npos) return {.words = split(type, '|')};
  Values values{.words = {}, .files = type == "FILE" || type == "PATH" || type == "TASK", .folders = type == "DIR"};
  if (type == "TASK")
    for (BuiltinTask const& task : builtin_tasks()) values.words.emplace_back(task.name);
  return values;
}

/// A description up to its details.
std::string summary_of(std::string const& description) {
  std::size_t end = description.size();
  for (char const* detail : {": ", "; ", " ("}) end = std::min(end, description.find(detail));
  return description.substr(0, end);
}

CompletedCommand read(CLI::App const& app) {
  CompletedCommand command{app.get_name(), summary_of(app.get_description()), {}};
  for (CLI::Option const* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    CompletedOption completed{{},
                              summary_of(option->get_description()),
                              option->get_items_expected_max() != 0,
                              option->get_type_name(),
                              values_of(option->get_type_name())};
    for (std::string const& name : option->get_snames()) completed.names.push_back("-" + name);
    for (std::string const& name : option->get_lnames()) completed.names.push_back("--" + name);
    command.options.push_back(std::move(completed));
  }
  return command;
}

std::vector<CompletedCommand> read_commands(CLI::App const& app) {
  std::vector<CompletedCommand> commands;
  for (CLI::App const* command : app.get_subcommands({})) commands.push_back(read(*command));
  return commands;
}

std::string joined(std::vector<std::string> const& words, char const* separator) {
  std::string text;
  for (std::string const& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

/// `text` with a backslash before each of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// `text` in single quotes, for a shell without escapes inside them.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// bash

/// What to do where these values are expected.
std::string bash_action(Values const& values) {
  std::vector<std::string> statements;
  if (values.files) statements.emplace_back("compopt -o default");
  if (values.folders) statements.emplace_back("compopt -o dirnames");
  if (!values.words.empty()) statements.push_back("words=" + shell_quoted(joined(values.words, " ")));
  return statements.empty() ? ";;" : joined(statements, "; ") + " ;;";
}

/// The branch of a command: what may follow, depending on the word before.
std::string bash_command(CompletedCommand const& command) {
  std::vector<std::pair<std::string, std::vector<std::string>>> branches;  // an action, and the options that share it
  std::vector<std::string> names;
  Values others;
  for (CompletedOption const& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.names.empty()) others = option.values;
    if (option.names.empty() || !option.takes_value) continue;
    std::string const action = bash_action(option.values);
    auto branch = std::find_if(branches.begin(), branches.end(), [&](auto const& b) { return b.first == action; });
    if (branch == branches.end()) branch = branches.insert(branch, {action, {}});
    branch->second.insert(branch->second.end(), option.names.begin(), option.names.end());
  }
  others.words.insert(others.words.end(), names.begin(), names.end());
  std::string text = "    " + command.name + ")\n      case $previous in\n";
  for (auto const& [action, options] : branches) text += "        " + joined(options, " | ") + ") " + action + "\n";
  return text + "        *) " + bash_action(others) + "\n      esac\n      ;;\n";
}

std::string bash_script(CompletedCommand const& program, std::vector<CompletedCommand> const& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (CompletedCommand const& command : commands) names.push_back(command.name);
  std::vector<std::string> first = names;
  for (CompletedOption const& option : program.options)
    first.insert(first.end(), option.names.begin(), option.names.end());

  std::string const function = "_" + program.name;
  std::string text =
      "# bash completion of " + program.name + ". In ~/.bashrc:\n#   source <(" + program.name + " completion bash)\n" +
      function + "() {\n" +
      R"(  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word words=''
  # bash splits --option=value into three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
)";
  text += "      " + joined(names, " | ") + ") command=$word && break ;;\n    esac\n  done\n  case $command in\n";
  for (CompletedCommand const& command : commands) text += bash_command(command);
  text += "    *) words=" + shell_quoted(joined(first, " ")) + " ;;\n  esac\n";
  text += "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\n";
  return text + "complete -F " + function + " " + program.name + "\n";
}

// zsh

/// The name of the function that completes a value which is either one of some words or a file.
std::string zsh_function(std::string const& program, CompletedOption const& option) {
  std::string name = "_" + program + "_";
  for (char c : option.value) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

std::string zsh_action(std::string const& program, CompletedOption const& option) {
  Values const& values = option.values;
  if (values.folders) return "_files -/";
  if (values.words.empty()) return values.files ? "_files" : " ";
  return values.files ? zsh_function(program, option) : "(" + joined(values.words, " ") + ")";
}

/// An option in the form that _arguments reads.
std::string zsh_argument(std::string const& program, CompletedOption const& option) {
  std::string const summary = "[" + escaped(option.summary, "[]:\\") + "]";
  std::string value = ":" + escaped(option.value, ":\\") + ":" + zsh_action(program, option);
  if (option.names.empty()) return shell_quoted("1" + value);
  std::string text;
  for (std::string const& name : option.names) {
    std::string spec = option.names.size() == 1 ? "" : "(" + joined(option.names, " ") + ")";
    spec += name;
    if (option.takes_value && name.starts_with("--")) spec += '=';
    spec += summary;
    text += (text.empty() ? "" : " ") + shell_quoted(option.takes_value ? spec + value : spec);
  }
  return text;
}

std::string zsh_arguments(std::string const& program, CompletedCommand const& command, std::string const& indent) {
  std::string text;
  for (CompletedOption const& option : command.options) text += " \\\n" + indent + zsh_argument(program, option);
  return text;
}

/// The functions that zsh_action() calls.
std::string zsh_functions(std::string const& program, std::vector<CompletedCommand> const& commands) {
  std::set<std::string> functions;
  for (CompletedCommand const& command : commands)
    for (CompletedOption const& option : command.options)
      if (option.values.files && !option.values.words.empty())
        functions.insert(zsh_function(program, option) + "() {\n  _alternative " +
                         shell_quoted("words:" + option.value + ":(" + joined(option.values.words, " ") + ")") +
                         " 'files:file:_files'\n}\n");
  std::string text;
  for (std::string const& function : functions) text += function;
  return text;
}

std::string zsh_script(CompletedCommand const& program, std::vector<CompletedCommand> const& commands) {
  std::string const function = "_" + program.name;
  std::string text = "#compdef " + program.name + "\n# zsh completion of " + program.name +
                     ". In ~/.zshrc, after compinit:\n#   source <(" + program.name + " completion zsh)\n" +
                     zsh_functions(program.name, commands) + function +
                     "() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  _arguments -C" +
                     zsh_arguments(program.name, program, "    ") +
                     " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n" +
                     "      local -a commands=(\n";
  for (CompletedCommand const& command : commands)
    text += "        " + shell_quoted(command.name + ":" + escaped(command.summary, ":\\")) + "\n";
  text += "      )\n      _describe command commands\n      ;;\n    argument)\n      case $line[1] in\n";
  for (CompletedCommand const& command : commands)
    text += "        " + command.name + ")\n          _arguments" +
            zsh_arguments(program.name, command, "            ") + "\n          ;;\n";
  // Either zsh has autoloaded the file as the function, for the first completion, or the user has sourced it.
  return text + "      esac\n      ;;\n  esac\n}\nif [[ $funcstack[1] == " + function + " ]]; then\n  " + function +
         " \"$@\"\nelse\n  compdef " + function + " " + program.name + "\nfi\n";
}

// fish

std::string fish_quoted(std::string_view text) {
  return "'" + escaped(text, "\\'") + "'";
}

std::string fish_option(std::string const& condition, CompletedOption const& option) {
  std::string text = condition;
  for (std::string const& name : option.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (option.takes_value && !option.names.empty()) text += " -r";
  if (option.takes_value) text += option.values.files ? " -F" : " -f";
  std::string words = joined(option.values.words, " ");
  if (option.values.folders) words = "(__fish_complete_directories)";
  if (!words.empty()) text += " -a " + fish_quoted(words);
  return text + " -d " + fish_quoted(option.summary) + "\n";
}

std::string fish_script(CompletedCommand const& program, std::vector<CompletedCommand> const& commands) {
  std::string const complete = "complete -c " + program.name;
  std::string text = "# fish completion of " + program.name + ":\n#   " + program.name +
                     " completion fish > ~/.config/fish/completions/" + program.name + ".fish\n" + complete + " -f\n";
  std::string const at_first = complete + " -n __fish_use_subcommand";
  for (CompletedOption const& option : program.options) text += fish_option(at_first, option);
  for (CompletedCommand const& command : commands) {
    text += at_first + " -a " + command.name + " -d " + fish_quoted(command.summary) + "\n";
    std::string const within = complete + " -n '__fish_seen_subcommand_from " + command.name + "'";
    for (CompletedOption const& option : command.options) text += fish_option(within, option);
  }
  return text;
}

}  // namespace

std::string completion_script(CLI::App const& app, Shell shell) {
  CompletedCommand const program = read(app);
  std::vector<CompletedCommand> const commands = read_commands(app);
  switch (shell) {
    case Shell::bash:
      return bash_script(program, commands);
    case Shell::zsh:
      return zsh_script(program, commands);
    case Shell::fish:
      return fish_script(program, commands);
  }
  return {};
}

}  // namespace zeroth::cli
