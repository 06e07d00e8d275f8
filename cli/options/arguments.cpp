// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <CLI/CLI.hpp>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>

#include "command_options.hpp"
#include "commands/completion.hpp"
#include "commands/help.hpp"
#include "option_checks.hpp"

namespace zeroth::cli {
namespace {

/// What help says of a command besides its options.
struct CommandHelp {
  char const* name = "";
  char const* summary = "";
  char const* footer = "";
};

CommandHelp help_of(FinetuneOptions const& /*options*/) {
  return {"finetune", "Fine-tune a model on a task with forward passes only",
          "Writes DIR/metrics.jsonl and DIR/journal during the run, and DIR/summary.json\n"
          "and DIR/model at the end, or DIR/adapter with --lora-rank or --adapter (and\n"
          "DIR/model, merged, with --save). Ctrl-C ends the run after the current step: the\n"
          "model is saved and evaluated as it is, and the exit code is 130. A second Ctrl-C\n"
          "aborts at once. To resume a run that was interrupted, killed or crashed:\n"
          "  zeroth finetune --resume DIR"};
}

CommandHelp help_of(ReplayModelOptions const& /*options*/) {
  return {"replay", "Rebuild a tuned model from its base model and the journal of its run",
          "Applies the steps of the run again, to the bit and without a forward pass.\n"
          "Example:\n"
          "  zeroth replay --model BASE --journal OUT/journal --output DIR --until 300"};
}

CommandHelp help_of(JournalOptions const& /*options*/) {
  return {"journal", "Show what a run started from and what each step did",
          "Examples:\n  zeroth journal DIR/journal --plot run.svg\n  zeroth journal DIR/journal --repair"};
}

CommandHelp help_of(EvalOptions const& /*options*/) {
  return {"eval", "Evaluate a model on the held-out examples of a task",
          "Example:\n  zeroth eval --model model.gguf --task sst2 --data DIR --output eval.json"};
}

CommandHelp help_of(ScoreOptions const& /*options*/) {
  return {"score", "Compute the log-probability of each token of a text",
          "Example:\n  zeroth score --model model.gguf --input lines.txt --output scores.jsonl"};
}

CommandHelp help_of(GenerateOptions const& /*options*/) {
  return {"generate", "Continue a text, token by token",
          "Example:\n  zeroth generate --model model.gguf --prompt \"The film was\" --temperature 0.8"};
}

CommandHelp help_of(TokenizeOptions const& /*options*/) {
  return {"tokenize", "Show the tokens of each line of a text",
          "Example:\n  zeroth tokenize --model model.gguf --input lines.txt"};
}

CommandHelp help_of(ExportOptions const& /*options*/) {
  return {"export", "Write a model in another format or data type",
          "Example:\n  zeroth export --model FOLDER --to gguf --dtype f16 --output model.gguf"};
}

CommandHelp help_of(InspectOptions const& /*options*/) {
  return {"inspect", "Show a model's architecture, tensors and memory needs"};
}

CommandHelp help_of(TasksOptions const& /*options*/) {
  return {"tasks", "List the built-in tasks, or print the task file of one"};
}

CommandHelp help_of(CompletionOptions const& /*options*/) {
  return {"completion", "Print a script that lets a shell complete commands",
          "Examples:\n"
          "  source <(zeroth completion bash)    in ~/.bashrc\n"
          "  source <(zeroth completion zsh)     in ~/.zshrc, after compinit\n"
          "  zeroth completion fish > ~/.config/fish/completions/zeroth.fish"};
}

template <class Options>
void add_command(CLI::App& app, Options& options) {
  CommandHelp const help = help_of(options);
  CLI::App& command = *app.add_subcommand(help.name, help.summary);
  command.group("Commands");
  command.footer(help.footer);
  add_options(command, options);
}

/// A run that is resumed knows its options, so that none of them is required.
void let_resume_stand_alone(CLI::App& finetune) {
  finetune.get_option("--resume")->each([&finetune](std::string const&) {
    for (CLI::Option* option : finetune.get_options()) option->required(false);
  });
}

/// "--model, --data and --threads": the options that may be given with --resume.
std::string options_with_resume(FinetuneOptions const& options) {
  std::vector<std::string> names;
  for_each_option(options, [&](auto const& row, auto const& /*field*/) {
    if (row.details.may_follow_resume && row.flag != "--resume") names.push_back(row.flag);
  });
  std::string text = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) text += (i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

void check_resume(CLI::App const& command, FinetuneOptions const& options) {
  for_each_option(options, [&](auto const& row, auto const& /*field*/) {
    if (!row.details.may_follow_resume && command.count(row.flag) > 0)
      throw InvalidArgument("--resume: expected no option with it but " + options_with_resume(options) + ", found " +
                            row.flag);
  });
}

template <std::derived_from<DeviceOptions> Options>
void check_gpu(CLI::App const& command, Options const& options) {
  if (!options.cuda_device) return;
  for_each_option(options, [&](auto const& row, auto const& /*field*/) {
    if (row.details.not_on_gpu != nullptr && command.count(row.flag) > 0)
      throw InvalidArgument(row.flag + ": expected no --device cuda with it: " + row.details.not_on_gpu);
  });
}

/// Checks what only the command line knows, namely which options were given, and then their values.
template <class Options>
void check(CLI::App const& command, Options const& options) {
  if constexpr (std::same_as<Options, FinetuneOptions>)
    if (!options.resume.empty()) return check_resume(command, options);
  if constexpr (std::derived_from<Options, DeviceOptions>) check_gpu(command, options);
  check_options(options);
}

/// What CLI11 says of a word, on one line and in the form of every other message.
std::string plain_text(CLI::ParseError const& error) {
  std::string const text = error.what();
  std::string const option = text.substr(0, text.find_first_of(": "));
  if (dynamic_cast<CLI::RequiredError const*>(&error) != nullptr) return "expected " + option + ", found none";
  if (dynamic_cast<CLI::ArgumentMismatch const*>(&error) != nullptr && option.starts_with('-'))
    return option + (text.ends_with(" missing") ? ": expected a value, found none" : ": expected once, found again");
  constexpr std::string_view conversion = "Could not convert: ";
  if (std::size_t const end = text.find(" = "); text.starts_with(conversion) && end != std::string::npos)
    return text.substr(conversion.size(), end - conversion.size()) + ": expected " + Flag{}.expected() +
           found(text.substr(end + 3));
  return text.substr(0, text.find('\n'));
}

/// What is wrong with the words that CLI11 could not use. An unknown word is reported before a missing option.
std::string message_of(CLI::App const& app, CLI::ParseError const& error, std::vector<std::string> const& words) {
  std::vector<CLI::App*> const commands = app.get_subcommands();
  CLI::App const& command = commands.empty() ? app : *commands[0];
  std::string const name = commands.empty() ? app.get_name() : app.get_name() + " " + command.get_name();
  std::string text = plain_text(error);
  if (commands.empty() && (words.empty() || !words[0].starts_with('-')))
    text = "expected a command" + (words.empty() ? ", found none" : found(words[0]));
  else if (std::vector<std::string> const unknown = command.remaining(); !unknown.empty())
    text = "expected an option of " + name + found(unknown[0]);
  return text + "; see " + name + " --help";
}

}  // namespace

Command parse_arguments(int argc, char const* const* argv) {
  CLI::App app("Fine-tunes language models with forward passes only: Sparse MeZO, MeZO and R-MeZO.", "zeroth");
  app.formatter(help_formatter());
  app.set_version_flag("--version", std::string("zeroth ") + version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  zeroth finetune --model model.gguf --task sst2 --data DIR --out OUT\n"
      "  zeroth eval --model OUT/model --task sst2 --data DIR --output eval.json\n"
      "  zeroth generate --model OUT/model --prompt \"The film was\"\n"
      "\n"
      "zeroth COMMAND --help lists the options of a command.");
  std::tuple<FinetuneOptions, ReplayModelOptions, JournalOptions, EvalOptions, ScoreOptions, GenerateOptions,
             TokenizeOptions, ExportOptions, InspectOptions, TasksOptions, CompletionOptions>
      options_of_commands;
  std::apply([&](auto&... options) { (add_command(app, options), ...); }, options_of_commands);
  let_resume_stand_alone(*app.get_subcommand("finetune"));

  try {
    app.parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    return HelpText{app.help()};
  } catch (CLI::CallForVersion const& called) {
    return HelpText{std::string(called.what()) + "\n"};
  } catch (CLI::ParseError const& error) {
    throw InvalidArgument(message_of(app, error, {argv + std::min(argc, 1), argv + argc}));
  }

  Command result;
  auto const take_if_called = [&]<class Options>(Options const& options) {
    CLI::App const& command = *app.get_subcommand(help_of(options).name);
    if (!command.parsed()) return;
    check(command, options);
    if constexpr (std::same_as<Options, CompletionOptions>)
      result = HelpText{completion_script(app, options.shell)};
    else
      result = options;
  };
  std::apply([&](auto const&... options) { (take_if_called(options), ...); }, options_of_commands);
  return result;
}

}  // namespace zeroth::cli
