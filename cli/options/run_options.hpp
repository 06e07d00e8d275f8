// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/families/published_models.hpp>

#include "option_row.hpp"
#include "option_values.hpp"
#include "options.hpp"
#include "tasks/builtin_tasks.hpp"

namespace zeroth::cli {

/// "default 400", or "default 1 for s-mezo, 2 for mezo, ..." if the methods differ.
[[nodiscard]] std::string default_text(auto value_of) {
  auto text_of = [&](Method method) { return short_text(static_cast<double>(value_of(defaults_of(method)))); };
  std::vector<Method> const methods = any_of<Method>().choices;
  std::string const first = text_of(methods[0]);
  bool differ = false;
  std::string text;
  for (Method method : methods) {
    differ = differ || text_of(method) != first;
    text += (text.empty() ? "" : ", ") + text_of(method) + " for " + std::string(to_string(method));
  }
  return "default " + (differ ? text : first);
}

[[nodiscard]] inline std::string published_model_names() {
  std::string names;
  for (std::string_view name : model::published_models) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

/// The options of a run, a row each, in the order that options.json, summary.json and the journal have. Other commands
/// share those whose field they have.
///
/// The command line, its help, shell completion, options.json, the notes of a journal and summary.json are all derived
/// from these rows.
[[nodiscard]] inline auto run_options() {
  using enum Recorded;
  constexpr char const* method = "Method";
  constexpr char const* training = "Training";
  constexpr char const* examples = "Examples";
  constexpr char const* computing = "Computing";
  constexpr char const* adapter = "Adapter";
  using Run = FinetuneOptions const&;
  return std::tuple(
      OptionRow(&BaseModelOptions::model, "--model", Path{"PATH"},
                {.help = "model: a GGUF file, or a folder with model.gguf or with config.json and safetensors",
                 .recorded = in_options,
                 .required = true,
                 .may_follow_resume = true}),
      OptionRow(&TaskOptions::task, "--task", TaskName{{"TASK"}},
                {.help = "task: " + builtin_task_names() + ", or a task file, FILE.json",
                 .recorded = in_options,
                 .required = true}),
      OptionRow(&TaskOptions::data, "--data", Path{"PATH"},
                {.help = "folder with the task's files, or its parent, or the file itself if the task has only one",
                 .recorded = in_options,
                 .required = true,
                 .may_follow_resume = true}),
      OptionRow(&FinetuneOptions::out, "--out", Path{"DIR"},
                {.help = "folder of the run; created if it does not exist", .recorded = in_options, .required = true}),
      OptionRow(&MethodOptions::method, "--method", any_of<Method>(),
                {.help = "which weights a step changes: the smallest of each matrix (s-mezo, the paper), all (mezo) or "
                         "a random share (r-mezo)",
                 .group = method,
                 .recorded = in_journal}),
      OptionRow(&MethodOptions::sparsity, "--sparsity", RealNumber{Bounds::share, "S"},
                {.help = "share of each matrix that the mask leaves out (s-mezo, r-mezo)",
                 .group = method,
                 .recorded = in_journal,
                 .is_used = [](Run run) { return run.method != Method::mezo; }}),
      OptionRow(&MethodOptions::sampler, "--sampler", any_of<SamplerName>(),
                {.help = "distribution of the noise; default gaussian, or rademacher with fzoo",
                 .group = method,
                 .recorded = in_journal,
                 .filled_in = true}),
      OptionRow(
          &MethodOptions::estimator, "--estimator", any_of<EstimatorName>(),
          {.help = "how losses are combined into the projected gradient", .group = method, .recorded = in_journal}),
      OptionRow(&MethodOptions::epsilon, "--epsilon", RealNumber{Bounds::positive},
                {.help = "scale of the perturbation; default " + short_text(default_epsilon) + ", " +
                         short_text(default_scales_epsilon) + " for --tune-scales",
                 .group = method,
                 .recorded = in_journal,
                 .filled_in = true}),
      OptionRow(
          &FinetuneOptions::learning_rate, "--learning-rate", RealNumber{Bounds::positive},
          {.help = "learning rate; " + default_text([](MethodDefaults d) { return d.learning_rate; }) + "; times " +
                   short_text(adapter_rate_factor) + " for an adapter or a delta, " + short_text(scales_rate_factor) +
                   " for --tune-scales, 0.01 with fzoo, 1 - beta1 with momentum; chosen by measurement for sgd "
                   "only",
           .group = training,
           .recorded = in_journal,
           .filled_in = true}),
      OptionRow(&FinetuneOptions::schedule, "--schedule", any_of<Schedule::Shape>(),
                {.help = "how the learning rate changes after the warm-up", .group = training, .recorded = in_journal}),
      OptionRow(&FinetuneOptions::warmup_steps, "--warmup-steps", WholeNumber<std::uint64_t>{},
                {.help = "steps over which the learning rate rises from 0", .group = training, .recorded = in_journal}),
      OptionRow(
          &FinetuneOptions::steps, "--steps", WholeNumber<std::uint64_t>{1, std::numeric_limits<std::uint32_t>::max()},
          {.help = "steps to take; " + default_text([](MethodDefaults d) { return static_cast<double>(d.steps); }),
           .group = training,
           .recorded = in_journal,
           .filled_in = true}),
      OptionRow(&FinetuneOptions::batch_size, "--batch-size", WholeNumber<std::uint32_t>{1, 65536},
                {.help = "examples per step", .group = training, .recorded = in_journal}),
      OptionRow(
          &FinetuneOptions::micro_batches, "--micro-batches", WholeNumber<std::uint32_t>{1, 65536},
          {.help = "parts in which a batch is evaluated, to save memory", .group = training, .recorded = in_journal}),
      OptionRow(&FinetuneOptions::train_examples, "--train-examples", WholeNumber<std::uint64_t>{1},
                {.help = "training examples, at most, drawn by the seed", .group = examples, .recorded = in_journal}),
      OptionRow(&FinetuneOptions::validation_examples, "--validation-examples", WholeNumber<std::uint64_t>{},
                {.help = "training examples, drawn by the seed, that are set aside to find the best step; they are "
                         "evaluated as often as the held-out ones",
                 .group = examples,
                 .recorded = in_journal}),
      OptionRow(&FinetuneOptions::evaluate_every, "--eval-every", WholeNumber<std::uint64_t>{},
                {.help = "steps between evaluations; 0: only before and after; default a tenth of the steps, at least "
                         "100",
                 .group = examples,
                 .recorded = in_journal,
                 .filled_in = true}),
      OptionRow(&TaskOptions::evaluation_examples, "--eval-examples", WholeNumber<std::uint64_t>{1},
                {.help = "held-out examples to evaluate on, at most", .group = examples, .recorded = in_journal}),
      OptionRow(&TaskOptions::shots, "--shots", WholeNumber<std::uint32_t>{0, 1024},
                {.help = "training examples shown, with their answers, before each prompt, balanced over the "
                         "candidates",
                 .group = examples,
                 .recorded = in_journal}),
      OptionRow(&MethodOptions::samples, "--samples", WholeNumber<std::uint32_t>{1, 1024},
                {.help = "random directions per step; default 1, or 8 with fzoo",
                 .group = method,
                 .recorded = in_journal,
                 .filled_in = true}),
      OptionRow(&MethodOptions::samples_per_probe, "--samples-per-probe", WholeNumber<std::uint32_t>{1, 1024},
                {.help = "random directions evaluated at once: takes memory and changes no result",
                 .group = method,
                 .recorded = in_options}),
      OptionRow(&TaskOptions::seed, "--seed", WholeNumber<std::uint64_t>{},
                {.help = "seed of all that is drawn: noise, batches, shots, training and validation examples",
                 .recorded = in_journal}),
      OptionRow(&ComputeOptions::backend, "--backend", any_of<DecoderBackend>(),
                {.help = "what runs the transformer: zeroth's own code, Eigen, or Eigen with oneDNN's matrix products",
                 .group = computing,
                 .recorded = in_journal,
                 .not_on_gpu = "a GPU has operations of its own"}),
      OptionRow(&DeviceOptions::threads, "--threads", WholeNumber<unsigned>{1, 4096},
                {.help = "threads to compute with; default all",
                 .group = computing,
                 .recorded = in_options,
                 .may_follow_resume = true,
                 .not_on_gpu = "the GPU computes"}),
      OptionRow(&DeviceOptions::cuda_device, "--device", Device{},
                {.help = "where the weights are and what computes: the CPU, or a GPU by its number if the program was "
                         "built with CUDA",
                 .group = computing,
                 .recorded = in_options,
                 .key = "cuda_device"}),
      OptionRow(&FinetuneOptions::random_model, "--random-model", Text{"NAME"},
                {.help = "for benchmarks: random weights in the shape of a published model (" +
                         published_model_names() + "); --model gives the tokenizer, and nothing is saved",
                 .recorded = in_options}),
      OptionRow(&MethodOptions::update, "--update", any_of<UpdateName>(),
                {.help = "how projected gradients change the weights", .group = method, .recorded = in_journal}),
      OptionRow(&MethodOptions::beta_1, "--beta1", RealNumber{Bounds::share},
                {.help = "decay of the running mean or sum of gradients (momentum, window-momentum, adam, adamm)",
                 .group = method,
                 .recorded = in_journal,
                 .key = "beta_1",
                 .is_used = [](Run run) { return uses_beta_1(run.update); }}),
      OptionRow(&MethodOptions::window, "--window", WholeNumber<std::uint32_t>{1, 65536},
                {.help = "updates that the running sum covers; each is rebuilt at every step (window-momentum)",
                 .group = method,
                 .recorded = in_journal,
                 .is_used = [](Run run) { return run.update == UpdateName::window_momentum; }}),
      OptionRow(&MethodOptions::beta_2, "--beta2", RealNumber{Bounds::share},
                {.help = "decay of the running mean of squared gradients (adam, adamm)",
                 .group = method,
                 .recorded = in_journal,
                 .key = "beta_2",
                 .is_used = [](Run run) { return uses_beta_2(run.update); }}),
      OptionRow(&MethodOptions::adam_epsilon, "--adam-epsilon", RealNumber{Bounds::positive},
                {.help = "what is added to the root of the mean square (adam, adamm)",
                 .group = method,
                 .recorded = in_journal,
                 .is_used = [](Run run) { return uses_beta_2(run.update); }}),
      OptionRow(&MethodOptions::weight_decay, "--weight-decay", RealNumber{Bounds::share},
                {.help = "decoupled weight decay of the active weights", .group = method, .recorded = in_journal}),
      OptionRow(&MethodOptions::clip, "--clip", RealNumber{Bounds::positive},
                {.help = "largest magnitude of the projected gradient; default no limit",
                 .group = method,
                 .recorded = in_journal}),
      OptionRow(&ComputeOptions::dtype, "--dtype", any_of<DataType>(),
                {.help = "how matrices are stored in memory", .group = computing, .recorded = in_journal}),
      OptionRow(&ComputeOptions::compute_dtype, "--compute-dtype", OneOf<DataType>{{DataType::f32, DataType::bf16}},
                {.help = "type of the inputs of matrix products, whose sums are f32; default f32",
                 .group = computing,
                 .recorded = in_journal,
                 .not_on_gpu = "a GPU multiplies in the type that --dtype gives"}),
      OptionRow(&ComputeOptions::no_mmap, "--no-mmap", Flag{},
                {.help = "decode weights that are not tuned into memory at the start; by default they stay in the "
                         "mapped files, and a few rows at a time are decoded, to the same numbers",
                 .group = computing,
                 .recorded = in_options,
                 .may_follow_resume = true}),
      OptionRow(&MethodOptions::rounding, "--rounding", any_of<Rounding>(),
                {.help = "how updated weights are rounded to 16 bits",
                 .group = method,
                 .recorded = in_journal,
                 .is_used = [](Run run) { return run.dtype != DataType::f32; }}),
      OptionRow(&TaskOptions::max_tokens, "--max-tokens", WholeNumber<std::uint32_t>{2},
                {.help = "longest sequence, in tokens; longer prompts lose their beginning; default 512, or the "
                         "model's context if that is shorter",
                 .group = examples,
                 .recorded = in_journal,
                 .filled_in = true}),
      OptionRow(&ModelOptions::adapter, "--adapter", Path{"DIR"},
                {.help = "LoRA adapter of the model: a folder with adapter_config.json and adapter_model.safetensors",
                 .group = adapter,
                 .recorded = in_options,
                 .may_follow_resume = true}),
      OptionRow(&LoraArguments::lora_rank, "--lora-rank", WholeNumber<std::uint32_t>{1, model::lora_rank_limit, "R"},
                {.help = "tune a new LoRA adapter of this rank instead of the model's own weights",
                 .group = adapter,
                 .recorded = in_journal}),
      OptionRow(
          &LoraArguments::lora_alpha, "--lora-alpha", RealNumber{Bounds::positive},
          {.help = "the adapter's output is multiplied by X / R; default " + short_text(model::LoraOptions{}.alpha),
           .group = adapter,
           .recorded = in_journal}),
      OptionRow(&LoraArguments::lora_targets, "--lora-targets", Globs{},
                {.help = "matrices to adapt: globs over names such as blk.0.attn_q.weight, separated by commas; "
                         "default " +
                         Globs{}.text(model::LoraOptions{}.targets),
                 .group = adapter,
                 .recorded = in_journal}),
      OptionRow(&BesideArguments::delta, "--delta", RealNumber{Bounds::probability, "SHARE"},
                {.help = "tune this share of the weights of each matrix, chosen once, beside weights that stay as they "
                         "are stored",
                 .group = adapter,
                 .recorded = in_journal}),
      OptionRow(&BesideArguments::delta_choice, "--delta-choice", any_of<model::DeltaChoice>(),
                {.help = "which weights a delta has, by their magnitude or at random",
                 .group = adapter,
                 .recorded = in_journal,
                 .is_used = [](Run run) { return run.delta.has_value(); }}),
      OptionRow(&BesideArguments::tune_scales, "--tune-scales", Flag{},
                {.help = "tune the scales of the blocks of a quantised GGUF file instead of its weights",
                 .group = adapter,
                 .recorded = in_journal}),
      OptionRow(&FinetuneOptions::save, "--save", any_of<SaveFormat>(),
                {.help = "format of the tuned model; default safetensors; for --tune-scales gguf, with the types of "
                         "the model's own file; no model if an adapter is tuned",
                 .recorded = in_options}),
      OptionRow(&FinetuneOptions::save_step, "--save-step", any_of<SaveStep>(),
                {.help = "which step's model or adapter is saved: the last, or the best on the --validation-examples",
                 .recorded = in_options}),
      OptionRow(&FinetuneOptions::overwrite, "--overwrite", Flag{}, {.help = "replace an earlier run in DIR"}),
      OptionRow(&FinetuneOptions::resume, "--resume", Path{"DIR"},
                {.help = "resume the run in DIR that was stopped or killed, with the result, to the bit, of one that "
                         "was not",
                 .may_follow_resume = true}));
}

}  // namespace zeroth::cli
