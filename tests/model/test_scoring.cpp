// SPDX-License-Identifier: MIT
#include <numeric>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "zeroth_model/decoder/scoring.hpp"

using namespace zeroth_test;
using zeroth::model::CandidateScore;
using zeroth::model::CandidateScorer;
using zeroth::model::Example;
using zeroth::model::Loss;
using zeroth::model::NeutralPrompt;
using zeroth::model::PackedBatch;
using zeroth::model::ScoringOptions;
using zeroth::model::TokenScores;

namespace {

std::vector<Example> single_token_examples() {
  return {{{1, 2, 3}, {{10}, {20}}, 0}, {{7}, {{30}, {40}, {50}}, 2}, {{9, 8, 7, 6, 5}, {{20}, {10}}, 1}};
}

std::vector<Example> mixed_examples() {
  return {{{1, 2, 3}, {{10, 11}, {20}, {30, 31, 32}}, 0}, {{7, 7}, {{30, 1}, {40, 2}}, 1}};
}

/// Log-probability of each token of `candidate` after `prompt`, each sequence in a batch of its own.
std::vector<double> token_log_probabilities(CpuDecoder& decoder, Tokens sequence, Tokens const& candidate) {
  PackedBatch batch;
  std::size_t const prompt = sequence.size();
  sequence.insert(sequence.end(), candidate.begin(), candidate.end());
  batch.add_segment(sequence);
  for (std::size_t i = 0; i < candidate.size(); ++i) batch.request(prompt + i - 1, candidate[i]);
  return score(decoder, batch);
}

}  // namespace

TEST_CASE("candidates score the mean or the sum of their tokens' log-probabilities, and the loss is cross-entropy") {
  auto const weights = load_golden("gqa_separate");
  CpuDecoder decoder(weights);
  auto const examples = mixed_examples();
  for (CandidateScore how : {CandidateScore::mean, CandidateScore::sum}) {
    CandidateScorer scorer(decoder, ScoringOptions{how, TokenScores::automatic});
    auto const result = scorer.score(examples);
    REQUIRE(result.lanes == 1);
    REQUIRE(result.losses.size() == 1);
    REQUIRE(result.predictions.size() == 2);
    std::size_t next = 0;
    double loss = 0;
    for (std::size_t e = 0; e < examples.size(); ++e) {
      std::vector<double> scores;
      for (Tokens const& candidate : examples[e].candidates) {
        auto const tokens = token_log_probabilities(decoder, examples[e].prompt, candidate);
        double const sum = std::accumulate(tokens.begin(), tokens.end(), 0.0);
        scores.push_back(how == CandidateScore::sum ? sum : sum / static_cast<double>(tokens.size()));
        CHECK(result.candidate_scores[next++] == scores.back());
      }
      double partition = 0;
      for (double s : scores) partition += std::exp(s);
      loss -= scores[examples[e].label] - std::log(partition);
      auto const best = std::max_element(scores.begin(), scores.end()) - scores.begin();
      CHECK(result.predictions[e] == static_cast<std::size_t>(best));
    }
    CHECK(result.losses[0] == Approx(loss / 2).epsilon(1e-12));
  }
}

TEST_CASE("single-token candidates give the same loss with logits and with log-probabilities") {
  auto const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}, {1, 0}}, 1e-2F);
  CandidateScorer logits(decoder);
  CandidateScorer normalised(decoder, ScoringOptions{CandidateScore::mean, TokenScores::log_probabilities});
  auto const examples = single_token_examples();
  auto const a = logits.score(examples, probe);
  CHECK(logits.batch().rows() == 9);  // candidates take no rows
  auto const b = normalised.score(examples, probe);
  REQUIRE(a.losses.size() == 3);
  for (std::size_t k = 0; k < 3; ++k) CHECK(a.losses[k] == Approx(b.losses[k]).margin(1e-6));
  CHECK(a.losses[0] != a.losses[1]);
  CHECK(a.predictions == b.predictions);
  CHECK(a.candidate_scores[0] != Approx(b.candidate_scores[0]).margin(1e-2));
  CHECK(a.losses[2] == logits.score(examples).losses[0]);
}

TEST_CASE("lanes of a probe have the losses of perturbed weights") {
  auto const weights = load_golden("quantized");
  CpuDecoder decoder(weights);
  HashProbe const probe(weights.parameters(), {{4, 1}, {4, -1}}, 1e-2F);
  CandidateScorer scorer(decoder);
  auto const result = scorer.score(mixed_examples(), probe);
  REQUIRE(result.predictions.size() == 4);
  for (std::size_t k = 0; k < 2; ++k) {
    auto const moved = perturbed(weights, probe, probe.points()[k]);
    CpuDecoder reference(moved);
    CHECK(CandidateScorer(reference).score(mixed_examples()).losses[0] == result.losses[k]);
  }
}

TEST_CASE("the first of equal candidates is predicted") {
  auto const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  CandidateScorer scorer(decoder);
  std::vector<Example> const examples{{{1, 2}, {{5}, {5}}, 1}};
  auto const& result = scorer.score(examples);
  CHECK(result.predictions[0] == 0);
  CHECK(result.losses[0] == Approx(std::log(2.0)));
}

TEST_CASE("against a neutral prompt a candidate scores what the prompt adds to its log-probability") {
  auto const weights = load_golden("gqa_separate");
  CpuDecoder decoder(weights);
  std::vector<Example> const examples{{{1, 2, 3}, {{10, 11}, {20}}, 0, NeutralPrompt{{4}, {{10, 11}, {20}}}},
                                      {{7, 7}, {{30}, {40, 2}, {5}}, 1, NeutralPrompt{{6, 5}, {{30, 9}, {40}, {5}}}}};
  CandidateScorer scorer(decoder, ScoringOptions{.candidate = CandidateScore::against_neutral});
  auto const result = scorer.score(examples);
  auto log_probability = [&](Tokens const& prompt, Tokens const& candidate) {
    auto const tokens = token_log_probabilities(decoder, prompt, candidate);
    return std::accumulate(tokens.begin(), tokens.end(), 0.0);
  };
  REQUIRE(result.candidate_scores.size() == 5);
  REQUIRE(result.predictions.size() == 2);
  CHECK(result.weight == 2);
  std::size_t next = 0;
  double loss = 0;
  for (std::size_t e = 0; e < examples.size(); ++e) {
    std::vector<double> scores;
    for (std::size_t c = 0; c < examples[e].candidates.size(); ++c) {
      scores.push_back(log_probability(examples[e].prompt, examples[e].candidates[c]) -
                       log_probability(examples[e].neutral.prompt, examples[e].neutral.candidates[c]));
      CHECK(result.candidate_scores[next++] == scores.back());
    }
    double partition = 0;
    for (double s : scores) partition += std::exp(s);
    loss += std::log(partition) - scores[examples[e].label];
    auto const best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    CHECK(result.predictions[e] == static_cast<std::size_t>(best));
  }
  CHECK(result.losses[0] == Approx(loss / 2).epsilon(1e-12));
}

TEST_CASE("single tokens against a neutral prompt give the same loss with logits and with log-probabilities") {
  auto const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  auto examples = single_token_examples();
  for (Example& example : examples) example.neutral = {{4, 4}, example.candidates};
  CandidateScorer logits(decoder, ScoringOptions{CandidateScore::against_neutral});
  CandidateScorer normalised(decoder, ScoringOptions{CandidateScore::against_neutral, TokenScores::log_probabilities});
  CandidateScorer sum(decoder, ScoringOptions{CandidateScore::sum, TokenScores::log_probabilities});
  double const loss = logits.score(examples).losses[0];
  CHECK(logits.batch().rows() == 9 + 6);
  CHECK(loss == Approx(normalised.score(examples).losses[0]).margin(1e-6));
  CHECK(loss != Approx(sum.score(examples).losses[0]).margin(1e-6));
}

TEST_CASE("the loss of a language model is the mean over all tokens of a batch, not over its texts") {
  auto const weights = load_golden("gqa_separate");
  CpuDecoder decoder(weights);
  std::vector<Example> const texts{{{1}, {{2, 3, 4, 5, 6}}}, {{9}, {{8}}}};
  CandidateScorer scorer(decoder, ScoringOptions{.loss = Loss::language_model});
  auto const result = scorer.score(texts);
  auto const longer = token_log_probabilities(decoder, {1}, {2, 3, 4, 5, 6});
  auto const shorter = token_log_probabilities(decoder, {9}, {8});
  double const sum = std::accumulate(longer.begin(), longer.end(), 0.0);
  CHECK(result.weight == 6);
  CHECK(result.losses[0] == Approx(-(sum + shorter[0]) / 6).epsilon(1e-12));
  CHECK(result.candidate_scores == std::vector<double>{sum / 5, shorter[0]});
  // A text of one token is normalised too: nothing cancels.
  CHECK(scorer.score(std::span(texts).last(1)).losses[0] == -shorter[0]);

  HashProbe const probe(weights.parameters(), {{4, 1}, {4, -1}}, 1e-2F);
  auto const perturbed_losses = scorer.score(texts, probe).losses;
  REQUIRE(perturbed_losses.size() == 2);
  CHECK(perturbed_losses[0] != perturbed_losses[1]);
}

TEST_CASE("examples that cannot be scored are rejected") {
  auto const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  CandidateScorer scorer(decoder);
  CandidateScorer texts(decoder, ScoringOptions{.loss = Loss::language_model});
  CandidateScorer against(decoder, ScoringOptions{.candidate = CandidateScore::against_neutral});
  auto refused_by = [](auto& by, std::vector<Example> const& examples) {
    try {
      by.score(examples);
    } catch (zeroth::InvalidArgument const& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  auto refused = [&](std::vector<Example> const& examples) { return refused_by(scorer, examples); };
  Example const good{{1}, {{2}, {3}}, 1};
  CHECK(refused({good}) == "accepted");
  CHECK(refused({}) == "a batch must have at least one example");
  CHECK(refused({good, {{}, {{2}}, 0}}) == "example 1: its prompt has no tokens");
  CHECK(refused({{{1}, {{2}, {3}}, 2}}) == "example 0: label 2 is not below the number of candidates, 2");
  CHECK(refused({{{1}, {{2}, {}}, 0}}) == "example 0: a candidate has no tokens");
  CHECK(refused({good}) == "accepted");
  CHECK(refused_by(texts, {good}) == "example 0: a text to model is one candidate, not 2");
  CHECK(refused_by(against, {good}) == "example 0: its neutral prompt has no tokens");
  CHECK(refused_by(against, {{{1}, {{2}, {3}}, 1, {{4}, {{2}}}}}) ==
        "example 0: its neutral prompt has 1 candidates, not 2");
  CHECK(refused_by(against, {{{1}, {{2}, {3}}, 1, {{4}, {{2}, {}}}}}) ==
        "example 0: a candidate after its neutral prompt has no tokens");
}
