// SPDX-License-Identifier: MIT
#include "run_log.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>

#include "evaluation_set.hpp"

namespace zeroth::cli {
namespace {

constexpr std::string_view name_of(model::CandidateScore score) noexcept {
  switch (score) {
    case model::CandidateScore::mean:
      return "mean";
    case model::CandidateScore::sum:
      return "sum";
    case model::CandidateScore::against_neutral:
      return "against_neutral";
  }
  return "unknown";
}

constexpr std::string_view name_of(model::Loss loss) noexcept {
  return loss == model::Loss::cross_entropy ? "cross_entropy" : "language_model";
}

constexpr std::string_view name_of(model::TokenScores tokens) noexcept {
  return tokens == model::TokenScores::automatic ? "automatic" : "log_probabilities";
}

/// @throws InvalidFile if the journal has an evaluation that finetune does not write
std::vector<JournalEntry> const& checked_entries(JournalFile const& file) {
  for (JournalEntry const& entry : file.journal().entries())
    if (auto const* const evaluation = std::get_if<EvaluationRecord>(&entry)) (void)set_of(*evaluation, file.path());
  return file.journal().entries();
}

}  // namespace

RunLog::RunLog(RunDirectory const& out, JournalHeader const& header, Metric const& metric)
    : journal_(out.journal().string(), header),
      found_(metrics_of(checked_entries(journal_), out.metrics(), metric)),
      metrics_(out.metrics(), found_) {
  if (journal_.cut()) repairs_.push_back(journal_.path() + ": " + journal_.cut()->text());
  std::size_t remade = 0;
  for (MetricsLine const& line : found_) remade += line.is_remade ? 1 : 0;
  if (remade > 0)
    repairs_.push_back(out.metrics().string() + ": " + std::to_string(remade) + " of " + std::to_string(found_.size()) +
                       " lines were missing or damaged and were rebuilt from the journal, with null for what it lacks");
  synchronize();
}

void RunLog::write(StepReport const& report, StepMetrics const& metrics) {
  metrics_.write(metrics);
  journal_.append(static_cast<StepRecord const&>(report));
}

void RunLog::write(EvaluationMetrics const& metrics, EvaluationRecord const& record) {
  metrics_.write(metrics);
  journal_.append(record);
}

void RunLog::synchronize() {
  journal_.synchronize();
  metrics_.synchronize();
}

EvaluationRecord record_of(EvaluationMetrics const& evaluation, Metric const& metric) {
  bool const lower_is_better = metric.kind == Metric::Kind::loss;
  return {.step = evaluation.step,
          .kind = static_cast<std::uint8_t>(evaluation.set),
          .score = lower_is_better ? -evaluation.metric : evaluation.metric,
          .loss = evaluation.loss,
          .examples = evaluation.examples};
}

std::vector<JournalField> task_notes(Task const& task) {
  std::string metric(to_string(task.metric.kind));
  if (task.metric.kind == Metric::Kind::f1) metric += " of candidate " + std::to_string(task.metric.positive);
  return {{"task loss", std::string(name_of(task.scoring.loss))},
          {"task score", std::string(name_of(task.scoring.candidate))},
          {"task scores of tokens", std::string(name_of(task.scoring.tokens))},
          {"task metric", metric}};
}

JournalField form_note(model::ModelSource const& source) {
  return {"form of the model", source.format()};
}

}  // namespace zeroth::cli
