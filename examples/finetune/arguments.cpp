// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include <array>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>

#include "method_arguments.hpp"
#include "option_types.hpp"
#include "tasks/builtin_tasks.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {
namespace {

void add_model(CLI::App& command, std::filesystem::path& model) {
  command
      .add_option("--model", model,
                  "the model: a GGUF file, or a folder with model.gguf or with config.json and safetensors")
      ->required()
      ->type_name("PATH");
}

void add_compute(CLI::App& command, ComputeOptions& options) {
  add_choice(command, "--backend", options.backend, std::array{DecoderBackend::cpu, DecoderBackend::eigen},
             "what the transformer runs on");
  command.add_option("--threads", options.threads, "threads to compute with; all by default")
      ->type_name("N")
      ->transform(whole_number<unsigned>(1, 4096));
}

void add_task(CLI::App& command, TaskOptions& options) {
  add_model(command, options.model);
  command.add_option("--task", options.task, "task: " + builtin_task_names() + ", or a task file, FILE.json")
      ->required()
      ->type_name("NAME");
  command
      .add_option("--data", options.data,
                  "folder with the task's files, or the folder above it; or the file, if the task has one alone")
      ->required()
      ->type_name("PATH");
  command.add_option("--eval-examples", options.evaluation_examples, "held-out examples to evaluate on")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(1))
      ->capture_default_str();
  command
      .add_option("--max-tokens", options.max_tokens,
                  "longest sequence; a longer prompt loses its beginning (default 512, or the model's context)")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(2));
  command
      .add_option("--shots", options.shots,
                  "training examples, as many of each candidate, shown with their answers before each prompt")
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

std::string per_method(auto value_of) {
  std::string text = "default";
  for (Method method : {Method::s_mezo, Method::mezo, Method::r_mezo}) {
    std::array<char, 64> number{};
    std::snprintf(number.data(), number.size(), "%s%g for %s", method == Method::s_mezo ? " " : ", ",
                  static_cast<double>(value_of(defaults_of(method))), std::string(to_string(method)).c_str());
    text += number.data();
  }
  return text;
}

CLI::App& add_finetune(CLI::App& app, FinetuneOptions& options) {
  CLI::App& command = *app.add_subcommand("finetune", "Fine-tune a model on a task with forward passes alone");
  command.group("Commands");
  command.footer(
      "Writes OUT/metrics.jsonl as it goes, and OUT/summary.json and OUT/model at the end.\n"
      "Ctrl-C ends the run after the step in hand: the model is saved and evaluated, and the exit code is 130.\n"
      "A second Ctrl-C aborts at once.");
  add_task(command, options);
  command.add_option("--out", options.out, "folder of the run; made if it is not there")->required()->type_name("DIR");
  command.add_flag("--overwrite", options.overwrite, "replace an earlier run in OUT");
  add_choice(command, "--save", options.save, std::array{SaveFormat::safetensors, SaveFormat::gguf, SaveFormat::both},
             "form of the tuned model");

  add_method(command, options);
  command.option_defaults()->group("Training");
  command
      .add_option("--learning-rate", options.learning_rate, "learning rate; " + per_method([](MethodDefaults d) {
                                                              return d.learning_rate;
                                                            }) + "; a hundredth of it with fzoo, a guess")
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
      .add_option("--eval-every", options.evaluate_every,
                  "steps between evaluations; 0: only before and after; default a tenth of the steps")
      ->type_name("N")
      ->transform(whole_number<std::uint64_t>(0));
  add_seed(command, options, "seed of the noise, the batches and the choice of training examples and shots");
  return command;
}

CLI::App& add_eval(CLI::App& app, EvalOptions& options) {
  CLI::App& command = *app.add_subcommand("eval", "Evaluate a model on the held-out examples of a task");
  command.group("Commands");
  add_task(command, options);
  command.add_option("--output", options.output, "JSON file to write")->required()->type_name("FILE");
  add_seed(command, options, "seed of the choice of shots");
  return command;
}

CLI::App& add_tasks(CLI::App& app, TasksOptions& options) {
  CLI::App& command = *app.add_subcommand("tasks", "List the built-in tasks, or print the task file of one");
  command.group("Commands");
  command.add_option("name", options.name, "task whose file is printed, a start for one of your own")
      ->type_name("NAME");
  return command;
}

CLI::App& add_score(CLI::App& app, ScoreOptions& options) {
  CLI::App& command = *app.add_subcommand("score", "Give the log-probability of each token of each line of a text");
  command.group("Commands");
  add_model(command, options.model);
  command.add_option("--input", options.input, "text file, a sequence a line")->required()->type_name("FILE");
  command.add_option("--output", options.output, "JSON Lines file to write")->required()->type_name("FILE");
  add_compute(command, options);
  return command;
}

CLI::App& add_generate(CLI::App& app, GenerateOptions& options) {
  CLI::App& command = *app.add_subcommand("generate", "Go on with a text, token by token, until the model ends it");
  command.group("Commands");
  add_model(command, options.model);
  command.add_option("--prompt", options.prompt, "the text to go on with")->required()->type_name("TEXT");
  command.add_option("--max-new-tokens", options.max_new_tokens, "tokens to make at most")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1))
      ->capture_default_str();
  command.add_option("--temperature", options.sampling.temperature, "what logits are divided by; 0: no chance")
      ->type_name("X")
      ->check(real_number(Bounds::not_negative))
      ->capture_default_str();
  command.add_option("--top-k", options.sampling.top_k, "draw among the N likeliest tokens; 0: all")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(0))
      ->capture_default_str();
  command.add_option("--top-p", options.sampling.top_p, "draw among the likeliest tokens of this probability together")
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
  add_model(command, options.model);
  command.add_option("--input", options.input, "text file")->required()->type_name("FILE");
  command.add_option("--output", options.output, "JSON Lines file to write")->type_name("FILE")->capture_default_str();
  return command;
}

CLI::App& add_export(CLI::App& app, ExportOptions& options) {
  CLI::App& command = *app.add_subcommand("export", "Write a model in another form or type");
  command.group("Commands");
  add_model(command, options.model);
  add_choice(command, "--to", options.to, std::array{SaveFormat::safetensors, SaveFormat::gguf}, "form");
  add_choice(command, "--dtype", options.dtype,
             std::array{model::TensorType::f32, model::TensorType::f16, model::TensorType::bf16},
             "type of the weights");
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

void check(FinetuneOptions const& options) {
  check_method(options);
  std::uint64_t const steps = options.steps.value_or(defaults_of(options.method).steps);
  if (options.warmup_steps >= steps)
    throw InvalidArgument("--warmup-steps: expected less than the number of steps, " + std::to_string(steps) +
                          ", found " + std::to_string(options.warmup_steps));
  if (options.batch_size % options.micro_batches != 0)
    throw InvalidArgument("--micro-batches: expected a divisor of the batch size, " +
                          std::to_string(options.batch_size) + ", found " + std::to_string(options.micro_batches));
}

/// What CLI11 has to say, on one line and without its class names.
std::string message_of(CLI::ParseError const& error) {
  std::string text = error.what();
  text = text.substr(0, text.find('\n'));
  return text + "; see zeroth --help";
}

}  // namespace

Command parse_arguments(int argc, char const* const* argv) {
  CLI::App app("Fine-tunes language models with forward passes alone: MeZO and Sparse MeZO.", "zeroth");
  app.set_version_flag("--version", std::string("zeroth ") + version);
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);

  FinetuneOptions finetune;
  EvalOptions eval;
  ScoreOptions score;
  GenerateOptions generate;
  TokenizeOptions tokenize;
  ExportOptions exported;
  InspectOptions inspect;
  TasksOptions tasks;
  CLI::App const& finetune_command = add_finetune(app, finetune);
  CLI::App const& eval_command = add_eval(app, eval);
  CLI::App const& score_command = add_score(app, score);
  CLI::App const& generate_command = add_generate(app, generate);
  CLI::App const& tokenize_command = add_tokenize(app, tokenize);
  CLI::App const& export_command = add_export(app, exported);
  add_inspect(app, inspect);
  CLI::App const& tasks_command = add_tasks(app, tasks);

  try {
    app.parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    return HelpText{app.help()};
  } catch (CLI::CallForVersion const& called) {
    return HelpText{std::string(called.what()) + "\n"};
  } catch (CLI::ParseError const& error) {
    throw InvalidArgument(message_of(error));
  }

  if (finetune_command.parsed()) {
    check(finetune);
    check_task_option(finetune.task);
    return finetune;
  }
  if (eval_command.parsed()) {
    check_task_option(eval.task);
    return eval;
  }
  if (score_command.parsed()) return score;
  if (generate_command.parsed()) return generate;
  if (tokenize_command.parsed()) return tokenize;
  if (export_command.parsed()) return exported;
  if (tasks_command.parsed()) return tasks;
  return inspect;
}

}  // namespace zeroth::cli
