// SPDX-License-Identifier: MIT
#include "evaluation.hpp"

#include <algorithm>
#include <unordered_map>

#include "io/format.hpp"

namespace zeroth::cli {
namespace {

// Examples are evaluated in batches of about this many tokens, which take no more memory than a training step.
constexpr std::size_t tokens_together = 512;

std::size_t tokens_of(std::vector<std::vector<std::int32_t>> const& candidates) {
  std::size_t tokens = 0;
  for (std::vector<std::int32_t> const& candidate : candidates) tokens += candidate.size();
  return tokens;
}

std::size_t tokens_of(model::Example const& example) {
  return example.prompt.size() + tokens_of(example.candidates) + example.neutral.prompt.size() +
         tokens_of(example.neutral.candidates);
}

std::size_t next_batch(std::span<model::Example const> examples) {
  std::size_t count = 0;
  for (std::size_t tokens = 0; count < examples.size() && (count == 0 || tokens < tokens_together); ++count)
    tokens += tokens_of(examples[count]);
  return count;
}

/// The number of terms that the mean loss averages: examples, or tokens.
double weight_of(std::span<model::Example const> examples, model::Loss loss) {
  if (loss == model::Loss::cross_entropy) return static_cast<double>(examples.size());
  std::size_t tokens = 0;
  for (model::Example const& example : examples) tokens += tokens_of(example.candidates);
  return static_cast<double>(tokens);
}

void judge(EvaluationResult& result, EncodedExamples const& examples, Metric const& metric) {
  result.metric = result.loss;
  if (metric.kind == Metric::Kind::loss) return;
  std::vector<std::size_t> labels;
  for (model::Example const& example : examples.examples) labels.push_back(example.label);
  Judged const judged{labels, result.predictions, examples.groups};
  result.accuracy = accuracy(judged);
  result.metric = *result.accuracy;
  if (metric.kind == Metric::Kind::f1) result.metric = f1(judged, metric.positive);
  if (metric.kind == Metric::Kind::exact_match) result.metric = exact_match(judged);
}

std::string number(double value) {
  return format("%.4f", unsigned_nan(value));
}

/// Names the results of an evaluation, with `text_of` for each number.
template <class TextOf>
std::string summary(EvaluationMetrics const& evaluation, Metric const& metric, TextOf const& text_of) {
  std::string text;
  bool const is_another = metric.kind == Metric::Kind::f1 || metric.kind == Metric::Kind::exact_match;
  if (is_another)
    text += std::string(to_string(metric.kind)) + " " + text_of([](auto const& e) { return e.metric; }) + ", ";
  if (evaluation.accuracy) text += "accuracy " + text_of([](auto const& e) { return *e.accuracy; }) + ", ";
  return text + "loss " + text_of([](auto const& e) { return e.loss; });
}

}  // namespace

double accuracy(Judged const& judged) {
  std::size_t correct = 0;
  for (std::size_t i = 0; i < judged.labels.size(); ++i) correct += judged.labels[i] == judged.predictions[i] ? 1 : 0;
  return static_cast<double>(correct) / static_cast<double>(judged.labels.size());
}

double f1(Judged const& judged, std::size_t positive) {
  std::size_t both = 0;
  std::size_t either = 0;
  for (std::size_t i = 0; i < judged.labels.size(); ++i) {
    bool const is_positive = judged.labels[i] == positive;
    bool const is_predicted = judged.predictions[i] == positive;
    both += is_positive && is_predicted ? 1 : 0;
    either += (is_positive ? 1U : 0U) + (is_predicted ? 1U : 0U);
  }
  return either == 0 ? 0 : 2 * static_cast<double>(both) / static_cast<double>(either);
}

double exact_match(Judged const& judged) {
  std::unordered_map<std::uint32_t, bool> groups;
  for (std::size_t i = 0; i < judged.labels.size(); ++i) {
    bool& right = groups.try_emplace(judged.groups[i], true).first->second;
    right = right && judged.labels[i] == judged.predictions[i];
  }
  auto const right = std::count_if(groups.begin(), groups.end(), [](auto const& group) { return group.second; });
  return static_cast<double>(right) / static_cast<double>(groups.size());
}

std::optional<EvaluationResult> evaluate(model::AnyDecoder& decoder, EncodedExamples const& examples, Task const& task,
                                         std::function<bool(std::size_t)> const& may_continue) {
  model::ScoringOptions options = task.scoring;
  options.tokens = model::TokenScores::log_probabilities;
  model::CandidateScorer scorer(decoder, options);
  EvaluationResult result;
  std::span<model::Example const> const all = examples.examples;
  double const weight = weight_of(all, options.loss);
  for (std::size_t done = 0; done < all.size();) {
    if (!may_continue(done)) return std::nullopt;
    auto const batch = all.subspan(done, next_batch(all.subspan(done)));
    model::ScoredBatch const& scored = scorer.score(batch);
    result.loss += scored.losses[0] * static_cast<double>(scored.weight) / weight;
    auto score = scored.candidate_scores.begin();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto const end = score + static_cast<std::ptrdiff_t>(batch[i].candidates.size());
      result.scores.emplace_back(score, end);
      result.predictions.push_back(scored.predictions[i]);
      score = end;
    }
    done += batch.size();
  }
  judge(result, examples, task.metric);
  return result;
}

std::string summary_of(EvaluationMetrics const& evaluation, Metric const& metric) {
  return summary(evaluation, metric, [&](auto const& value_of) { return number(value_of(evaluation)); });
}

std::string summary_of(EvaluationMetrics const& before, EvaluationMetrics const& after, Metric const& metric) {
  return summary(after, metric,
                 [&](auto const& value_of) { return number(value_of(before)) + " -> " + number(value_of(after)); });
}

}  // namespace zeroth::cli
