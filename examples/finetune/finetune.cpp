// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/zeroth.hpp>

#include "adapter.hpp"
#include "any_optimizer.hpp"
#include "commands.hpp"
#include "evaluation.hpp"
#include "examples.hpp"
#include "interrupt.hpp"
#include "metrics.hpp"
#include "order.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "save.hpp"
#include "summary.hpp"
#include "text.hpp"

namespace zeroth::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Mean of the losses at the points of one sign; none if there are no such points.
std::optional<double> mean_loss(std::span<double const> losses, std::span<Lane const> lanes, std::int32_t sign) {
  double sum = 0;
  std::size_t points = 0;
  for (std::size_t k = 0; k < lanes.size(); ++k) {
    if (lanes[k].sign != sign) continue;
    sum += losses[k];
    ++points;
  }
  if (points == 0) return std::nullopt;
  return sum / static_cast<double>(points);
}

StepMetrics metrics_of(StepReport const& report, std::span<Lane const> lanes, double seconds) {
  return {.step = report.step + 1,
          .loss = report.loss,
          .loss_base = mean_loss(report.losses, lanes, 0),
          .loss_plus = mean_loss(report.losses, lanes, +1),
          .loss_minus = mean_loss(report.losses, lanes, -1),
          .projected_gradient = report.projected_gradient,
          .learning_rate = report.learning_rate,
          .active_weights = report.active_weights,
          .seconds = seconds,
          .skipped = report.skipped() ? to_string(report.skip_reason) : ""};
}

/// The options with the defaults that depend on others filled in.
FinetuneOptions resolved(FinetuneOptions options) {
  static_cast<MethodOptions&>(options) = resolved(static_cast<MethodOptions const&>(options));
  MethodDefaults const defaults = defaults_of(options.method);
  if (!options.learning_rate)
    options.learning_rate = default_learning_rate(options) * (options.tunes_adapter() ? adapter_rate_factor : 1);
  if (!options.save && !options.tunes_adapter()) options.save = SaveFormat::safetensors;
  if (!options.steps) options.steps = defaults.steps;
  options.threads = OpenMpExecutor(options.threads).concurrency();
  // An evaluation takes as long as some dozen steps.
  constexpr std::uint64_t least_between_evaluations = 100;
  if (!options.evaluate_every) options.evaluate_every = std::max(*options.steps / 10, least_between_evaluations);
  return options;
}

/// One run: what is the same for all methods, and the loop over the steps.
class FinetuneRun {
 public:
  FinetuneRun(FinetuneOptions const& options, RunDirectory& out, LanguageModel const& model, Task const& task,
              EncodedExamples const& train, EncodedExamples const& held_out)
      : options_(options),
        task_(task),
        train_(train),
        held_out_(held_out),
        executor_(options.threads),
        decoder_(make_decoder(model, options.backend, executor_)),
        scorer_(decoder_, task.scoring),
        optimizer_(make_optimizer(options, model.tuned(), executor_)),
        metrics_(out.metrics()),
        progress_(*options.steps) {}

  /// Evaluates before the first step. Returns whether the run is to go on.
  bool evaluate_before(RunResult& result) { return evaluate_now(0, result.before, /*interruptible=*/true); }

  void train(RunResult& result) {
    while (result.steps < *options_.steps && !interrupted()) {
      Clock::time_point const start = Clock::now();
      StepReport const report =
          optimizer_->step([&](AnyProbe const& probe, std::span<double> losses) { measure_losses(probe, losses); });
      record(report, seconds_since(start), result);
      result.optimizer_bytes = optimizer_->bytes();
      bool const is_due = *options_.evaluate_every != 0 && result.steps % *options_.evaluate_every == 0;
      if (is_due) evaluate_now(result.steps, result.after, /*interruptible=*/result.steps != *options_.steps);
    }
  }

  /// Evaluates after the last step, even after an interrupt, unless that was done already.
  void evaluate_after(RunResult& result) {
    if (evaluated_step_ != result.steps) evaluate_now(result.steps, result.after, /*interruptible=*/false);
  }

  Progress& progress() { return progress_; }

 private:
  void measure_losses(AnyProbe const& probe, std::span<double> losses) {
    std::vector<std::uint32_t> const batch = batch_of_step(options_.seed, probe.step(), options_.batch_size,
                                                           static_cast<std::uint32_t>(train_.examples.size()));
    std::size_t const part = batch.size() / options_.micro_batches;
    batch_.clear();
    for (std::uint32_t example : std::span(batch).subspan(probe.micro_batch() * part, part))
      batch_.push_back(train_.examples[example]);
    std::vector<double> const& measured = scorer_.score(batch_, probe).losses;
    std::copy(measured.begin(), measured.end(), losses.begin());
  }

  void record(StepReport const& report, double seconds, RunResult& result) {
    metrics_.write(metrics_of(report, optimizer_->lanes(), seconds));
    ++result.steps;
    result.step_seconds += seconds;
    if (report.skipped()) {
      // A conservative update turns steps down all the time.
      if (result.skipped_steps++ == 0 && report.skip_reason != SkipReason::no_lower_loss)
        progress_.message("step " + std::to_string(result.steps) + " skipped: " +
                          std::string(to_string(report.skip_reason)) + "; metrics.jsonl lists any others");
    } else {
      result.active_weights += report.active_weights;
    }
    progress_.step(result.steps, report.loss, seconds);
  }

  /// Returns whether the evaluation came to its end.
  bool evaluate_now(std::uint64_t step, std::optional<EvaluationMetrics>& result, bool interruptible) {
    Clock::time_point const start = Clock::now();
    std::optional<EvaluationResult> const evaluation = evaluate(decoder_, held_out_, task_, [&](std::size_t done) {
      progress_.evaluation(done, held_out_.examples.size());
      return !interruptible || !interrupted();
    });
    if (!evaluation) return false;
    result =
        EvaluationMetrics{step, evaluation->accuracy, evaluation->metric, evaluation->loss, held_out_.examples.size()};
    evaluated_step_ = step;
    metrics_.write(*result);
    progress_.message("step " + std::to_string(step) + ": " + summary_of(*result, task_.metric) + " on " +
                      std::to_string(held_out_.examples.size()) + " held-out examples (" +
                      human_duration(seconds_since(start)) + ")");
    return true;
  }

  FinetuneOptions const& options_;
  Task const& task_;
  EncodedExamples const& train_;
  EncodedExamples const& held_out_;
  OpenMpExecutor executor_;
  model::AnyDecoder decoder_;
  model::CandidateScorer<model::AnyDecoder> scorer_;
  std::unique_ptr<AnyOptimizer> optimizer_;
  std::vector<model::Example> batch_;
  MetricsFile metrics_;
  Progress progress_;
  std::optional<std::uint64_t> evaluated_step_;
};

/// The training and the held-out examples as tokens; the task's text is gone when they are made.
struct EncodedTask {
  EncodedExamples train;
  EncodedExamples held_out;
  std::string split;  ///< TaskData::split
};

EncodedTask encode_task(Task const& task, TaskData data, FinetuneOptions const& options, LanguageModel const& model) {
  std::string demonstrations = take_demonstrations(task, data, options.shots, options.seed);
  std::vector<TextExample> const train = choose_training_examples(data, options.train_examples, options.seed);
  if (train.empty())
    throw InvalidFile(options.data.string() + ": expected at least one training example that is not held out" +
                      (options.shots > 0 ? " or shown" : "") + ", found none");
  EncodingRules const rules = encoding_rules(task, data, std::move(demonstrations), *options.max_tokens);
  return {encode(train, rules, model.tokenizer),
          encode(choose_held_out_examples(data, options.evaluation_examples), rules, model.tokenizer),
          std::move(data.split)};
}

}  // namespace

int run(FinetuneOptions const& given) {
  FinetuneOptions options = resolved(given);
  Task const task = find_task(options.task);
  RunDirectory out(options.out, options.overwrite);
  TaskData data = load_task(task, options.data);
  LanguageModel model(options, options.dtype);
  make_adapter(model, options);
  options.max_tokens = longest_sequence(options, model);
  EncodedTask const encoded = encode_task(task, std::move(data), options, model);
  out.check_space(model.adapter_bytes() + (options.save ? saved_bytes(model, *options.save) : 0));

  catch_interrupts();
  out.begin();
  RunResult result;
  result.tuned_weights = model.tuned().weights();
  result.adapter_bytes = model.adapter_bytes();
  FinetuneRun run(options, out, model, task, encoded.train, encoded.held_out);
  run.progress().message("fine-tuning " + options.model.string() + " on " + options.task + " with " +
                         std::string(to_string(options.method)) + ": " + std::to_string(encoded.train.examples.size()) +
                         " training and " + std::to_string(encoded.held_out.examples.size()) + " held-out examples, " +
                         std::to_string(*options.steps) + " steps");
  if (model.adapter) run.progress().message(adapter_summary(model));
  if (!encoded.split.empty()) run.progress().message(encoded.split);
  if (!run.evaluate_before(result)) {
    run.progress().message("interrupted before the first step: nothing is saved");
    return interrupted_exit_code;
  }
  run.train(result);
  result.interrupted = result.steps < *options.steps;
  if (result.interrupted)
    run.progress().message("interrupted after step " + std::to_string(result.steps) +
                           ": saving and evaluating the model; a second Ctrl-C aborts");
  // Saved before it is evaluated: an impatient second Ctrl-C then loses a number, not the model.
  bool const adapted = model.adapter.has_value();
  if (adapted)
    save_adapter(model, out.adapter());
  else
    save_model(model, *options.save, std::nullopt, out.model());
  run.evaluate_after(result);
  if (adapted && options.save) {
    model.merge_adapter();
    save_model(model, *options.save, std::nullopt, out.model());
  }
  if (!adapted) RunDirectory::remove_stale(out.adapter());
  if (!options.save) RunDirectory::remove_stale(out.model());
  write_summary(out.summary(), options, task, encoded.split, model, encoded.train, encoded.held_out, result);
  run.progress().message("saved in " + (adapted ? out.adapter() : out.model()).string() +
                         (adapted && options.save ? " and, merged, in " + out.model().string() : ""));
  std::printf("%s\n", summary_of(*result.before, *result.after, task.metric).c_str());
  return result.interrupted ? interrupted_exit_code : 0;
}

}  // namespace zeroth::cli
