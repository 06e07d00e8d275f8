// SPDX-License-Identifier: MIT
#include "evaluation.hpp"

namespace zeroth::cli {
namespace {

// Examples are evaluated together up to about this many tokens: no more memory than a training step takes.
constexpr std::size_t tokens_together = 512;

std::size_t tokens_of(model::Example const& example) {
  std::size_t tokens = example.prompt.size();
  for (std::vector<std::int32_t> const& candidate : example.candidates) tokens += candidate.size();
  return tokens;
}

std::size_t next_batch(std::span<model::Example const> examples) {
  std::size_t count = 0;
  for (std::size_t tokens = 0; count < examples.size() && (count == 0 || tokens < tokens_together); ++count)
    tokens += tokens_of(examples[count]);
  return count;
}

}  // namespace

std::optional<EvaluationResult> evaluate(model::AnyDecoder& decoder, std::span<model::Example const> examples,
                                         std::function<bool(std::size_t)> const& go_on) {
  model::CandidateScorer scorer(decoder, {.tokens = model::TokenScores::log_probabilities});
  EvaluationResult result;
  std::size_t correct = 0;
  auto const count = static_cast<double>(examples.size());
  for (std::size_t done = 0; done < examples.size();) {
    if (!go_on(done)) return std::nullopt;
    auto const batch = examples.subspan(done, next_batch(examples.subspan(done)));
    model::ScoredBatch const& scored = scorer.score(batch);
    result.loss += scored.losses[0] * static_cast<double>(batch.size()) / count;
    auto score = scored.candidate_scores.begin();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto const end = score + static_cast<std::ptrdiff_t>(batch[i].candidates.size());
      result.scores.emplace_back(score, end);
      result.predictions.push_back(scored.predictions[i]);
      correct += scored.predictions[i] == batch[i].label ? 1 : 0;
      score = end;
    }
    done += batch.size();
  }
  result.accuracy = static_cast<double>(correct) / count;
  return result;
}

}  // namespace zeroth::cli
