// SPDX-License-Identifier: MIT
#include "run_log.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>

#include <zeroth/error.hpp>

#include "paths.hpp"

namespace zeroth::cli {
namespace {

/// Whether a line of the metrics tells what an entry of the journal does.
bool belong_together(MetricsLine const& line, JournalEntry const& entry) {
  if (auto const* const step = std::get_if<StepMetrics>(&line.metrics)) {
    auto const* const record = std::get_if<StepRecord>(&entry);
    return record != nullptr && step->step == record->step + 1;
  }
  auto const* const record = std::get_if<EvaluationRecord>(&entry);
  auto const& evaluation = std::get<EvaluationMetrics>(line.metrics);
  return record != nullptr && evaluation.step == record->step && evaluation.set == record->set;
}

}  // namespace

RunLog::RunLog(RunDirectory const& out, JournalHeader const& header)
    : journal_(out.journal().string(), header),
      found_(cut(out)),
      metrics_(found_.empty() ? MetricsFile(out.metrics()) : MetricsFile(out.metrics(), found_.back().end)) {}

std::vector<MetricsLine> RunLog::cut(RunDirectory const& out) {
  std::vector<JournalEntry> const& entries = journal().entries();
  if (entries.empty()) return {};
  if (!path_exists(out.metrics()))
    throw InvalidFile(out.metrics().string() + ": expected the metrics of the run of " + journal_.path() +
                      ", found no such file");
  std::vector<MetricsLine> lines = read_metrics(out.metrics());
  std::size_t const count = std::min(lines.size(), entries.size());
  for (std::size_t i = 0; i < count; ++i)
    if (!belong_together(lines[i], entries[i]))
      throw InvalidFile(out.metrics().string() + ":" + std::to_string(i + 1) + ": expected a line about record " +
                        std::to_string(i) + " of " + journal_.path() + ", found one about another");
  lines.resize(count);
  if (count < entries.size()) journal_.truncate(count);
  return lines;
}

void RunLog::write(StepReport const& report, StepMetrics const& metrics) {
  metrics_.write(metrics);
  journal_.append(static_cast<StepRecord const&>(report));
}

void RunLog::write(EvaluationMetrics const& evaluation, Metric const& metric) {
  metrics_.write(evaluation);
  bool const lower_is_better = metric.kind == Metric::Kind::loss;
  journal_.append(EvaluationRecord{.step = evaluation.step,
                                   .set = evaluation.set,
                                   .score = lower_is_better ? -evaluation.metric : evaluation.metric,
                                   .loss = evaluation.loss,
                                   .examples = evaluation.examples});
}

JournalField form_note(LanguageModel const& model) {
  return {"form of the model", model.source.format()};
}

}  // namespace zeroth::cli
