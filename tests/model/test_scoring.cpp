// SPDX-License-Identifier: MIT
#include <numeric>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "zeroth/model/scoring.hpp"

using namespace zeroth_test;
using zeroth::model::CandidateScore;
using zeroth::model::CandidateScorer;
using zeroth::model::Example;
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
    auto const moved = perturbed(weights, probe, probe.lanes()[k]);
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

TEST_CASE("examples that cannot be scored are refused") {
  auto const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  CandidateScorer scorer(decoder);
  auto refused = [&](std::vector<Example> const& examples) {
    try {
      scorer.score(examples);
    } catch (zeroth::InvalidArgument const& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  Example const good{{1}, {{2}, {3}}, 1};
  CHECK(refused({good}) == "accepted");
  CHECK(refused({}) == "a batch must have at least one example");
  CHECK(refused({good, {{}, {{2}}, 0}}) == "example 1: its prompt has no tokens");
  CHECK(refused({{{1}, {{2}, {3}}, 2}}) == "example 0: label 2 is not below the number of candidates, 2");
  CHECK(refused({{{1}, {{2}, {}}, 0}}) == "example 0: a candidate has no tokens");
  CHECK(refused({good}) == "accepted");
}
