// SPDX-License-Identifier: MIT
#include "finetune_run.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <variant>

#include <zeroth/numeric/number_text.hpp>
#include <zeroth_model/weights/weights_hash.hpp>

#include "evaluation.hpp"
#include "interrupt.hpp"
#include "options/options_json.hpp"
#include "tasks/order.hpp"

namespace zeroth::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Mean of the losses at the points of one sign; none if there are no such points.
std::optional<double> mean_loss(std::span<double const> losses, std::span<Point const> lanes, std::int32_t sign) {
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

StepMetrics metrics_of(StepReport const& report, std::span<Point const> lanes, double seconds) {
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

}  // namespace

FinetuneRun::FinetuneRun(FinetuneOptions const& options, LanguageModel const& model, Task const& task,
                         RunExamples const& examples, Progress& progress)
    : options_(options),
      task_(task),
      examples_(examples),
      model_(model),
      executor_(options.threads),
      decoder_(make_decoder(model, options, executor_)),
      scorer_(decoder_, task.scoring),
      optimizer_(make_optimizer(options, model.tuned(), executor_, model.gpu.get())),
      header_(optimizer_->journal_header(notes(model))),
      progress_(progress) {
  result_.tuned_weights = model.tuned().weights();
  result_.adapter_bytes = model.beside_bytes();
}

void FinetuneRun::open(RunDirectory const& out) {
  log_.emplace(out, header_, task_.metric);
  for (std::string const& repair : log_->repairs()) progress_.message(repair);
  if (!log_->found().empty()) continue_log();
}

std::vector<JournalField> FinetuneRun::notes(LanguageModel const& model) const {
  std::vector<JournalField> notes = option_notes(options_);
  notes.push_back(form_note(model.source));
  notes.push_back({"training examples", hexadecimal(hash_of(examples_.train))});
  if (!examples_.validation.examples.empty())
    notes.push_back({"validation examples", hexadecimal(hash_of(examples_.validation))});
  notes.push_back({"held-out examples", hexadecimal(hash_of(examples_.held_out))});
  for (JournalField const& note : task_notes(task_)) notes.push_back(note);
  // Which examples belong together matters for this metric only.
  if (task_.metric.kind == Metric::Kind::exact_match) {
    if (!examples_.validation.examples.empty())
      notes.push_back({"validation groups", hexadecimal(hash_of_groups(examples_.validation))});
    notes.push_back({"held-out groups", hexadecimal(hash_of_groups(examples_.held_out))});
  }
  // The journal's base weights are the tuned ones: an adapter says nothing about the model under it.
  if (model.tunes_beside())
    notes.push_back(
        {"model under the adapter", hexadecimal(model::hash_weights(model.weights, AnyExecutor(executor_)))});
  return notes;
}

void FinetuneRun::continue_log() {
  Clock::time_point const start = Clock::now();
  std::vector<JournalEntry> const& entries = log_->journal().entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto const* const step = std::get_if<StepRecord>(&entries[i])) {
      optimizer_->replay(*step);
      count(*step, std::get<StepMetrics>(log_->found()[i].metrics).seconds);
    } else {
      note(std::get<EvaluationMetrics>(log_->found()[i].metrics), std::get<EvaluationRecord>(entries[i]));
    }
  }
  result_.optimizer_bytes = optimizer_->bytes();
  progress_.message("resuming after step " + std::to_string(result_.steps) + ", replayed from the journal in " +
                    human_duration(seconds_since(start)));
}

bool FinetuneRun::evaluate_before() {
  return result_.steps != 0 || evaluate_now(/*interruptible=*/true);
}

void FinetuneRun::train() {
  for (;;) {
    if (is_due()) evaluate_now(/*interruptible=*/result_.steps != *options_.steps);
    if (result_.steps == *options_.steps || interrupted()) break;
    if (model_.weights.is_stored()) model_.source.require_unchanged();
    Clock::time_point const start = Clock::now();
    StepReport const report =
        optimizer_->step([&](AnyProbe const& probe, std::span<double> losses) { measure_losses(probe, losses); });
    record(report, seconds_since(start));
  }
  result_.interrupted = result_.steps < *options_.steps;
}

void FinetuneRun::evaluate_after() {
  evaluate_now(/*interruptible=*/false);
  if (!result_.after) result_.after = result_.before;
}

void FinetuneRun::finish() {
  log_->synchronize();
}

void FinetuneRun::measure_losses(AnyProbe const& probe, std::span<double> losses) {
  std::vector<std::uint32_t> const batch = batch_of_step(options_.seed, probe.step(), options_.batch_size,
                                                         static_cast<std::uint32_t>(examples_.train.examples.size()));
  std::size_t const part = batch.size() / options_.micro_batches;
  batch_.clear();
  for (std::uint32_t example : std::span(batch).subspan(probe.micro_batch() * part, part))
    batch_.push_back(examples_.train.examples[example]);
  std::vector<double> const& measured = scorer_.score(batch_, probe).losses;
  std::copy(measured.begin(), measured.end(), losses.begin());
}

void FinetuneRun::record(StepReport const& report, double seconds) {
  log_->write(report, metrics_of(report, optimizer_->points(), seconds));
  count(report, seconds);
  result_.optimizer_bytes = optimizer_->bytes();
  // A conservative update skips steps all the time.
  if (result_.skipped_steps == 1 && report.skipped() && report.skip_reason != SkipReason::no_lower_loss)
    progress_.message("step " + std::to_string(result_.steps) +
                      " skipped: " + std::string(to_string(report.skip_reason)) + "; metrics.jsonl lists any others");
  progress_.step(result_.steps, report.loss, seconds);
}

void FinetuneRun::count(StepRecord const& record, std::optional<double> seconds) {
  ++result_.steps;
  result_.timed_steps += seconds ? 1 : 0;
  result_.step_seconds += seconds.value_or(0);
  if (record.skipped())
    ++result_.skipped_steps;
  else
    result_.active_weights += record.active_weights;
}

bool FinetuneRun::is_due() const {
  return result_.steps != 0 && *options_.evaluate_every != 0 && result_.steps % *options_.evaluate_every == 0;
}

/// Whether a run that nothing interrupts evaluates at this step.
bool FinetuneRun::is_logged() const {
  return result_.steps == 0 || result_.steps == *options_.steps || is_due();
}

/// Evaluates on all sets, unless that was done at this step. Returns whether it was finished.
bool FinetuneRun::evaluate_now(bool interruptible) {
  // Held-out examples come first: note() relies on that.
  return evaluate_on(EvaluationSet::held_out, interruptible) &&
         (examples_.validation.examples.empty() || evaluate_on(EvaluationSet::validation, interruptible));
}

bool FinetuneRun::evaluate_on(EvaluationSet set, bool interruptible) {
  if (evaluated_step_[static_cast<std::size_t>(set)] == result_.steps) return true;
  Clock::time_point const start = Clock::now();
  EncodedExamples const& examples = set == EvaluationSet::held_out ? examples_.held_out : examples_.validation;
  std::optional<EvaluationResult> const evaluation = evaluate(decoder_, examples, task_, [&](std::size_t done) {
    progress_.evaluation(done, examples.examples.size());
    return !interruptible || !interrupted();
  });
  if (!evaluation) return false;
  EvaluationMetrics const metrics{result_.steps,    evaluation->accuracy,     evaluation->metric,
                                  evaluation->loss, examples.examples.size(), set};
  EvaluationRecord const record = record_of(metrics, task_.metric);
  if (is_logged()) log_->write(metrics, record);
  note(metrics, record);
  progress_.message("step " + std::to_string(metrics.step) + ": " + summary_of(metrics, task_.metric) + " on " +
                    std::to_string(metrics.examples) + " " + set_name(set) + " examples (" +
                    human_duration(seconds_since(start)) + ")");
  return true;
}

/// Notes the result of an evaluation.
void FinetuneRun::note(EvaluationMetrics const& evaluation, EvaluationRecord const& record) {
  evaluated_step_[static_cast<std::size_t>(evaluation.set)] = evaluation.step;
  if (evaluation.set == EvaluationSet::held_out) {
    (result_.before ? result_.after : result_.before) = evaluation;
  } else if (!best_ || is_better(record, *best_)) {
    best_ = record;
    result_.best = {evaluation, result_.after ? *result_.after : *result_.before};
  }
}

}  // namespace zeroth::cli
