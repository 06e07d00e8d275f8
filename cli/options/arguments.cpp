// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/families/published_models.hpp>

#include "commands/completion.hpp"
#include "commands/help.hpp"
#include "compute_arguments.hpp"
#include "lora_arguments.hpp"
#include "method_arguments.hpp"
#include "option_types.hpp"
#include "tasks/builtin_tasks.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {
namespace {

void add_model(CLI::App& command, std::filesystem::path& model) {
  command
      .add_option("--model", model, "model: GGUF file, or folder with model.gguf or with config.json and safetensors")
      ->required()
      ->type_name("PATH");
}

void add_model(CLI::App& command, ModelOptions& options) {
  add_model(command, options.model);
  add_adapter(command, options.adapter);
}

std::string published_model_names() {
  std::string names;
  for (std::string_view name : model::published_models) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

void add_task(CLI::App& command, TaskOptions& options) {
  add_model(command, options);
  command.add_option("--task", options.task, "task: " + builtin_task_names() + ", or a task file, FILE.json")
      ->required()
      ->type_name("TASK");
  command
      .add_option("--data", options.data,
                  "folder with the task's files, or the one above it, or the file of a task that has one alone")
      ->required()
      ->type_name("PATH");
  command.add_option("--eval-examples", options.evaluation_examples, "held-out examples to evaluate on, at most")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(1))
      ->capture_default_str();
  command
      .add_option("--max-tokens", options.max_tokens,
                  "longest sequence, in tokens; a longer prompt loses its beginning; default 512, or the model's "
                  "context if that is "
                  "shorter")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(2));
  command
      .add_option("--shots", options.shots,
                  "training examples that are shown, with their answers, before each prompt; as many of each candidate")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(0, 1024))
      ->capture_default_str();
  add_compute(command, options);
}

void add_seed(CLI::App& command, TaskOptions& options, std::string const& help) {
  command.add_option("--seed", options.seed, help)
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0))
      ->capture_default_str();
}

/// "default 400", or "default 1 for s-mezo, 2 for mezo, ..." where methods differ.
std::string per_method(auto value_of) {
  auto text_of = [&](Method method) {
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), "%g", static_cast<double>(value_of(defaults_of(method))));
    return std::string(number.data());
  };
  constexpr std::array methods{Method::s_mezo, Method::mezo, Method::r_mezo};
  std::string const first = text_of(methods[0]);
  if (text_of(methods[1]) == first && text_of(methods[2]) == first) return "default " + first;
  std::string text;
  for (Method method : methods)
    text += (text.empty() ? "default " : ", ") + text_of(method) + " for " + std::string(to_string(method));
  return text;
}

/// A run that goes on knows its options: none has to be given then, and few can be.
void add_resume(CLI::App& command, FinetuneOptions& options) {
  auto const resume = [&](std::string const& folder) {
    options.resume = folder;
    for (CLI::Option* option : command.get_options()) option->required(false);
  };
  command
      .add_option_function<std::string>("--resume", resume,
                                        "go on with the run in DIR that was stopped or killed, to the same bits")
      ->type_name("DIR");
}

void check_resume(CLI::App const& command) {
  constexpr std::array<std::string_view, 5> may_change{"--resume", "--model", "--data", "--adapter", "--threads"};
  for (CLI::Option const* option : command.get_options())
    if (option->count() > 0 && std::find(may_change.begin(), may_change.end(), option->get_name()) == may_change.end())
      throw InvalidArgument(
          "--resume: expected no option beside it but --model, --data, --adapter and --threads, found " +
          option->get_name());
}

CLI::App& add_finetune(CLI::App& app, FinetuneOptions& options) {
  CLI::App& command = *app.add_subcommand("finetune", "Fine-tune a model on a task with forward passes alone");
  command.group("Commands");
  command.footer(
      "Writes DIR/metrics.jsonl and DIR/journal as it goes, and DIR/summary.json and\n"
      "DIR/model at the end, or DIR/adapter with --lora-rank and --adapter (and\n"
      "DIR/model, merged, with --save). Ctrl-C ends the run after the step in hand:\n"
      "what was tuned is saved and evaluated, and the exit code is 130. A second Ctrl-C\n"
      "aborts at once. A run that was stopped, by a kill or a crash too, goes on with\n"
      "  zeroth finetune --resume DIR");
  add_task(command, options);
  command.add_option("--out", options.out, "folder of the run; made if it is not there")->required()->type_name("DIR");
  add_resume(command, options);
  command.add_flag("--overwrite", options.overwrite, "replace an earlier run in DIR");
  add_choice(command, "--save", options.save, std::array{SaveFormat::safetensors, SaveFormat::gguf, SaveFormat::both},
             "form of the tuned model; default safetensors, or no model beside an adapter");
  add_choice(command, "--save-step", options.save_step, std::array{SaveStep::last, SaveStep::best},
             "which step's model or adapter is saved: the last, or the best on the --validation-examples");

  command
      .add_option("--random-model", options.random_model,
                  "for measurements: generated weights in the shape of a published model (" + published_model_names() +
                      "); --model gives the tokenizer, and nothing is saved")
      ->type_name("NAME");

  add_method(command, options);
  add_lora(command, options);
  command.option_defaults()->group("Training");
  command
      .add_option("--learning-rate", options.learning_rate,
                  "learning rate; " + per_method([](MethodDefaults d) { return d.learning_rate; }) +
                      "; ten times it for an adapter; a hundredth of it with fzoo, 1 - beta1 times it with momentum; a "
                      "guess for "
                      "every update but sgd")
      ->type_name("X")
      ->check(real_number(Bounds::positive));
  add_choice(command, "--schedule", options.schedule,
             std::array{Schedule::Shape::constant, Schedule::Shape::linear, Schedule::Shape::cosine},
             "how the learning rate goes on after the warm-up");
  command.add_option("--warmup-steps", options.warmup_steps, "steps over which the learning rate rises from 0")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0))
      ->capture_default_str();
  command
      .add_option("--steps", options.steps,
                  "steps; " + per_method([](MethodDefaults d) { return static_cast<double>(d.steps); }))
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(1, std::numeric_limits<std::uint32_t>::max()));
  command.add_option("--batch-size", options.batch_size, "examples a step")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1, 65536))
      ->capture_default_str();
  command.add_option("--micro-batches", options.micro_batches, "parts that a batch is evaluated in, to save memory")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1, 65536))
      ->capture_default_str();
  command.add_option("--train-examples", options.train_examples, "training examples, drawn by the seed")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(1))
      ->capture_default_str();
  command
      .add_option("--validation-examples", options.validation_examples,
                  "examples that are taken from the training examples, by the seed, to find the best step with; they "
                  "are evaluated as often as the held-out ones")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0))
      ->capture_default_str();
  command
      .add_option("--eval-every", options.evaluate_every,
                  "steps between evaluations; 0: before and after alone; default a tenth of the steps, at least 100")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0));
  add_seed(command, options,
           "seed of the noise, the batches and the choice of training and validation examples and shots");
  return command;
}

CLI::App& add_replay(CLI::App& app, ReplayModelOptions& options) {
  CLI::App& command = *app.add_subcommand("replay", "Make the tuned model of its base and the journal of a run");
  command.group("Commands");
  command.footer(
      "Does the steps of the run again, to the bit and without a forward pass.\n"
      "Example:\n"
      "  zeroth replay --model BASE --journal OUT/journal --output DIR --until 300");
  add_model(command, options);
  command.add_option("--journal", options.journal, "journal of the run: DIR/journal")->required()->type_name("FILE");
  command.add_option("--output", options.output, "folder of the tuned model, or adapter, to write")
      ->required()
      ->type_name("DIR");
  command.add_option("--until", options.until, "how many steps to do; default all")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0));
  add_choice(command, "--save", options.save, std::array{SaveFormat::safetensors, SaveFormat::gguf, SaveFormat::both},
             "form of the tuned model");
  add_device(command, options.cuda_device);
  add_threads(command, options.threads);
  command.add_flag("--overwrite", options.overwrite, "replace what is there");
  return command;
}

CLI::App& add_journal(CLI::App& app, JournalOptions& options) {
  CLI::App& command = *app.add_subcommand("journal", "Show what a run started from and what each step did");
  command.group("Commands");
  command.footer("Examples:\n  zeroth journal DIR/journal --plot run.svg\n  zeroth journal DIR/journal --repair");
  command.add_option("journal", options.journal, "journal of the run: DIR/journal")->required()->type_name("FILE");
  command.add_flag("--json", options.json, "print JSON");
  command.add_option("--plot", options.plot, "draw the run as an SVG image and write it, instead of a table")
      ->type_name("FILE");
  command.add_flag("--repair", options.repair,
                   "cut a damaged journal at its first bad record, and keep what is cut in a file next to it");
  return command;
}

CLI::App& add_eval(CLI::App& app, EvalOptions& options) {
  CLI::App& command = *app.add_subcommand("eval", "Evaluate a model on the held-out examples of a task");
  command.group("Commands");
  command.footer("Example:\n  zeroth eval --model model.gguf --task sst2 --data DIR --output eval.json");
  add_task(command, options);
  command.add_option("--output", options.output, "JSON file to write")->required()->type_name("FILE");
  add_seed(command, options, "seed of the choice of shots");
  return command;
}

CLI::App& add_tasks(CLI::App& app, TasksOptions& options) {
  CLI::App& command = *app.add_subcommand("tasks", "List the built-in tasks, or print the task file of one");
  command.group("Commands");
  command.add_option("name", options.name, "task whose file is printed, a start for one of your own")
      ->type_name(builtin_task_names("|"));
  return command;
}

CLI::App& add_score(CLI::App& app, ScoreOptions& options) {
  CLI::App& command = *app.add_subcommand("score", "Give the log-probability of each token of a text");
  command.group("Commands");
  command.footer("Example:\n  zeroth score --model model.gguf --input lines.txt --output scores.jsonl");
  add_model(command, options);
  command.add_option("--input", options.input, "text file, a sequence a line")->required()->type_name("FILE");
  command.add_option("--output", options.output, "JSON Lines file to write")->required()->type_name("FILE");
  add_compute(command, options);
  return command;
}

CLI::App& add_generate(CLI::App& app, GenerateOptions& options) {
  CLI::App& command = *app.add_subcommand("generate", "Continue a text, token by token");
  command.group("Commands");
  command.footer("Example:\n  zeroth generate --model model.gguf --prompt \"The film was\" --temperature 0.8");
  add_model(command, options);
  command.add_option("--prompt", options.prompt, "text to continue")->required()->type_name("TEXT");
  command
      .add_option("--max-new-tokens", options.max_new_tokens,
                  "how many tokens to make at most; fewer where the model ends the text")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1))
      ->capture_default_str();
  command
      .add_option("--temperature", options.sampling.temperature,
                  "randomness of the draw, by which the logits are divided; 0 takes the likeliest token")
      ->type_name("X")
      ->check(real_number(Bounds::not_negative))
      ->capture_default_str();
  command.add_option("--top-k", options.sampling.top_k, "draw among the N likeliest tokens alone; 0: among all")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(0))
      ->capture_default_str();
  command
      .add_option("--top-p", options.sampling.top_p,
                  "draw among the likeliest tokens alone that make up this probability together")
      ->type_name("P")
      ->check(real_number(Bounds::probability))
      ->capture_default_str();
  command.add_option("--seed", options.sampling.seed, "seed of the draws")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0))
      ->capture_default_str();
  add_compute(command, options);
  return command;
}

CLI::App& add_tokenize(CLI::App& app, TokenizeOptions& options) {
  CLI::App& command = *app.add_subcommand("tokenize", "Give the tokens of each line of a text");
  command.group("Commands");
  command.footer("Example:\n  zeroth tokenize --model model.gguf --input lines.txt");
  add_model(command, options.model);
  command.add_option("--input", options.input, "text file")->required()->type_name("FILE");
  command.add_option("--output", options.output, "JSON Lines file to write")->type_name("FILE")->capture_default_str();
  return command;
}

CLI::App& add_export(CLI::App& app, ExportOptions& options) {
  CLI::App& command = *app.add_subcommand("export", "Write a model in another form or type");
  command.group("Commands");
  command.footer("Example:\n  zeroth export --model FOLDER --to gguf --dtype f16 --output model.gguf");
  add_model(command, options);
  add_choice(command, "--to", options.to, std::array{SaveFormat::safetensors, SaveFormat::gguf}, "form to write");
  add_choice(command, "--dtype", options.dtype,
             std::array{model::TensorType::f32, model::TensorType::f16, model::TensorType::bf16},
             "type that the weights are written in");
  command.add_option("--output", options.output, "folder (safetensors) or file (gguf) to write")
      ->required()
      ->type_name("PATH");
  command.add_flag("--overwrite", options.overwrite, "replace what is there");
  return command;
}

CLI::App& add_inspect(CLI::App& app, InspectOptions& options) {
  CLI::App& command = *app.add_subcommand("inspect", "Show a model's architecture, tensors and memory needs");
  command.group("Commands");
  add_model(command, options.model);
  command.add_flag("--json", options.json, "print JSON");
  return command;
}

CLI::App& add_completion(CLI::App& app, Shell& shell) {
  CLI::App& command = *app.add_subcommand("completion", "Print a script that lets a shell complete commands");
  command.group("Commands");
  command.footer(
      "Examples:\n"
      "  source <(zeroth completion bash)    in ~/.bashrc\n"
      "  source <(zeroth completion zsh)     in ~/.zshrc, after compinit\n"
      "  zeroth completion fish > ~/.config/fish/completions/zeroth.fish");
  add_named_value(command, "shell", shell, std::array{Shell::bash, Shell::zsh, Shell::fish}, "shell to write it for")
      ->required();
  return command;
}

void check_random_model(FinetuneOptions const& options) {
  if (!options.random_model) return;
  try {
    static_cast<void>(model::published_model(*options.random_model));
  } catch (InvalidArgument const& error) {
    throw InvalidArgument(std::string("--random-model: ") + error.what());
  }
  if (options.tunes_adapter()) throw InvalidArgument("--random-model: expected no adapter beside it");
  if (options.save)
    throw InvalidArgument("--random-model: expected no --save beside it, a generated model is not saved");
}

void check(CLI::App const& command, FinetuneOptions const& options) {
  check_method(options);
  check_lora(options);
  if (options.update == UpdateName::window_momentum && options.dtype != DataType::f32 && !options.tunes_adapter())
    throw InvalidArgument("--update window-momentum: expected --dtype f32, or an adapter to tune, found " +
                          std::string(to_string(options.dtype)));
  check_device(command, options.cuda_device, options.tunes_adapter());
  check_random_model(options);
  std::uint64_t const steps = options.steps.value_or(defaults_of(options.method).steps);
  if (options.warmup_steps >= steps)
    throw InvalidArgument("--warmup-steps: expected less than the number of steps, " + std::to_string(steps) +
                          ", found " + std::to_string(options.warmup_steps));
  if (options.batch_size % options.micro_batches != 0)
    throw InvalidArgument("--micro-batches: expected a divisor of the batch size, " +
                          std::to_string(options.batch_size) + ", found " + std::to_string(options.micro_batches));
  if (options.save_step == SaveStep::best && options.validation_examples == 0)
    throw InvalidArgument("--save-step best: expected --validation-examples beside it, found none");
}

/// What CLI11 says of a word, on one line; what it says in its own way, as every other message says it.
std::string plain_text(CLI::ParseError const& error) {
  std::string const text = error.what();
  std::string const option = text.substr(0, text.find_first_of(": "));
  if (dynamic_cast<CLI::RequiredError const*>(&error) != nullptr) return "expected " + option + ", found none";
  if (dynamic_cast<CLI::ArgumentMismatch const*>(&error) != nullptr && option.starts_with('-'))
    return option + (text.ends_with(" missing") ? ": expected a value, found none" : ": expected once, found again");
  constexpr std::string_view conversion = "Could not convert: ";
  if (std::size_t const end = text.find(" = "); text.starts_with(conversion) && end != std::string::npos)
    return text.substr(conversion.size(), end - conversion.size()) + ": expected true, false or no value" +
           found(text.substr(end + 3));
  return text.substr(0, text.find('\n'));
}

/// What is wrong with the words that CLI11 could not use: a word that it does not know comes before what is missing.
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
  CLI::App app("Fine-tunes language models with forward passes alone: Sparse MeZO, MeZO and R-MeZO.", "zeroth");
  app.formatter(help_formatter());
  app.set_version_flag("--version", std::string("zeroth ") + version);
  app.require_subcommand(1);

  FinetuneOptions finetune;
  ReplayModelOptions replay;
  JournalOptions journal;
  EvalOptions eval;
  ScoreOptions score;
  GenerateOptions generate;
  TokenizeOptions tokenize;
  ExportOptions exported;
  InspectOptions inspect;
  TasksOptions tasks;
  Shell shell{};
  CLI::App const& finetune_command = add_finetune(app, finetune);
  CLI::App const& replay_command = add_replay(app, replay);
  CLI::App const& journal_command = add_journal(app, journal);
  CLI::App const& eval_command = add_eval(app, eval);
  CLI::App const& score_command = add_score(app, score);
  CLI::App const& generate_command = add_generate(app, generate);
  CLI::App const& tokenize_command = add_tokenize(app, tokenize);
  CLI::App const& export_command = add_export(app, exported);
  add_inspect(app, inspect);
  CLI::App const& tasks_command = add_tasks(app, tasks);
  CLI::App const& completion_command = add_completion(app, shell);

  app.footer(
      "Examples:\n"
      "  zeroth finetune --model model.gguf --task sst2 --data DIR --out OUT\n"
      "  zeroth eval --model OUT/model --task sst2 --data DIR --output eval.json\n"
      "  zeroth generate --model OUT/model --prompt \"The film was\"\n"
      "\n"
      "zeroth COMMAND --help lists the options of a command.");

  try {
    app.parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    return HelpText{app.help()};
  } catch (CLI::CallForVersion const& called) {
    return HelpText{std::string(called.what()) + "\n"};
  } catch (CLI::ParseError const& error) {
    throw InvalidArgument(message_of(app, error, {argv + std::min(argc, 1), argv + argc}));
  }

  if (finetune_command.parsed()) {
    if (!finetune.resume.empty()) {
      check_resume(finetune_command);
      return finetune;
    }
    check(finetune_command, finetune);
    check_task_option(finetune.task);
    return finetune;
  }
  if (replay_command.parsed()) {
    check_device(replay_command, replay.cuda_device, !replay.adapter.empty());
    return replay;
  }
  if (journal_command.parsed()) {
    if (journal.json && !journal.plot.empty())
      throw InvalidArgument("--plot: expected no --json beside it: an image takes the place of what is printed");
    if (journal.repair && (journal.json || !journal.plot.empty()))
      throw InvalidArgument("--repair: expected neither --json nor --plot with it");
    return journal;
  }
  if (eval_command.parsed()) {
    check_device(eval_command, eval.cuda_device, !eval.adapter.empty());
    check_task_option(eval.task);
    return eval;
  }
  if (score_command.parsed()) {
    check_device(score_command, score.cuda_device, !score.adapter.empty());
    return score;
  }
  if (generate_command.parsed()) {
    check_device(generate_command, generate.cuda_device, !generate.adapter.empty());
    return generate;
  }
  if (tokenize_command.parsed()) return tokenize;
  if (export_command.parsed()) return exported;
  if (tasks_command.parsed()) return tasks;
  if (completion_command.parsed()) return HelpText{completion_script(app, shell)};
  return inspect;
}

}  // namespace zeroth::cli
