// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/probe.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/decoder/packed_batch.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A prompt that is independent of the example, and the candidates as tokens after it.
struct NeutralPrompt {
  std::vector<std::int32_t> prompt = {};
  std::vector<std::vector<std::int32_t>> candidates = {};  ///< those of the example, in the same order
};

/// A classification example: which candidate continues the prompt? Examples of a batch may have different numbers of
/// candidates. For Loss::language_model the only candidate is the text, and the prompt is the beginning that precedes
/// it.
struct Example {
  std::vector<std::int32_t> prompt;
  std::vector<std::vector<std::int32_t>> candidates;  ///< each has at least one token
  std::size_t label = 0;                              ///< index of the correct candidate
  NeutralPrompt neutral = {};                         ///< used only by CandidateScore::against_neutral
};

/// How a candidate's score is computed from the scores of its tokens.
enum class CandidateScore : std::uint8_t {
  mean,             ///< mean log-probability of its tokens, as in the code of MeZO and Sparse MeZO
  sum,              ///< log-probability of the whole candidate
  against_neutral,  ///< log-probability of the whole candidate minus that after the neutral prompt
};

/// The loss of a batch.
enum class Loss : std::uint8_t {
  cross_entropy,   ///< of the correct candidate under a softmax of candidate scores, mean over examples
  language_model,  ///< negative log-probability of the tokens of each example's only candidate, mean over all tokens
};

/// Which token scores are computed.
enum class TokenScores : std::uint8_t {
  automatic,          ///< logits if every candidate of the batch is a single token, otherwise log-probabilities
  log_probabilities,  ///< always normalised over the vocabulary; needed to compare scores between examples
};

/// How candidates are scored.
struct ScoringOptions {
  CandidateScore candidate = CandidateScore::mean;
  TokenScores tokens = TokenScores::automatic;  ///< Loss::language_model always uses log-probabilities
  Loss loss = Loss::cross_entropy;

  bool operator==(ScoringOptions const&) const = default;
};

/// Results of a batch, for each lane of the probe (one lane without a probe).
struct ScoredBatch {
  std::size_t lanes = 0;
  std::size_t examples = 0;
  std::size_t weight = 0;      ///< losses are means over this many examples, or tokens for Loss::language_model
  std::vector<double> losses;  ///< [lane], see Loss
  std::vector<std::size_t> predictions;  ///< [lane * examples + example]: the best candidate; the first on a tie
  std::vector<double> candidate_scores;  ///< [lane * all candidates + candidate], example by example
};

/// Scores the candidates of examples, one batch at a time.
///
/// Candidates share their prompt's rows. If each is a single token, candidates take no rows at all, and the normaliser
/// over the vocabulary, which cancels in the softmax over candidates, is not computed. Refers to the decoder and reuses
/// its own memory, so it serves one caller at a time.
///
/// @tparam D a Decoder, or AnyDecoder
template <class D>
class CandidateScorer {
 public:
  explicit CandidateScorer(D& decoder, ScoringOptions options = {}) : decoder_(&decoder), options_(options) {}

  /// Scores under theta. The result is valid until the next call.
  /// @throws InvalidArgument if there are no examples; if one has no prompt, no candidates, an empty candidate or a
  ///   label that is not one of them; if a neutral prompt is needed and missing; if Loss::language_model is given more
  ///   than one candidate; and as Decoder::score does.
  ScoredBatch const& score(std::span<Example const> examples) { return run(examples, nullptr); }

  /// Scores under every lane of `probe`.
  /// @throws InvalidArgument as above.
  ScoredBatch const& score(std::span<Example const> examples, AnyProbe const& probe) { return run(examples, &probe); }

  /// The last batch that was decoded: its rows are the work of the last call.
  [[nodiscard]] PackedBatch const& batch() const noexcept { return batch_; }

 private:
  ScoredBatch const& run(std::span<Example const> examples, AnyProbe const* probe) {
    bool const single = pack(examples);
    bool const logits = single && options_.tokens == TokenScores::automatic && options_.loss == Loss::cross_entropy;
    ScoreKind const kind = logits ? ScoreKind::logit : ScoreKind::log_probability;
    std::size_t const requests = batch_.requests().size();
    result_.lanes = probe == nullptr ? 1 : probe->points().size();
    result_.examples = examples.size();
    result_.weight = options_.loss == Loss::language_model ? requests : examples.size();
    token_scores_.resize(result_.lanes * requests);
    if (probe == nullptr)
      decoder_->score(batch_, kind, token_scores_);
    else
      decoder_->score(batch_, kind, *probe, token_scores_);

    result_.losses.clear();
    result_.predictions.clear();
    result_.candidate_scores.clear();
    for (std::size_t lane = 0; lane < result_.lanes; ++lane)
      reduce(examples, std::span<double const>(token_scores_).subspan(lane * requests, requests));
    return result_;
  }

  /// Fills batch_ with requests in the order of examples, candidates and tokens; those of the neutral prompt follow the
  /// example's own. Returns whether all candidates are single tokens.
  bool pack(std::span<Example const> examples) {
    if (examples.empty()) throw InvalidArgument("a batch must have at least one example");
    batch_.clear();
    bool single = true;
    for (std::size_t e = 0; e < examples.size(); ++e) {
      Example const& example = examples[e];
      check(example, e);
      single = pack(example.prompt, example.candidates) && single;
      if (options_.candidate == CandidateScore::against_neutral)
        single = pack(example.neutral.prompt, example.neutral.candidates) && single;
    }
    return single;
  }

  bool pack(std::vector<std::int32_t> const& prompt, std::span<std::vector<std::int32_t> const> candidates) {
    bool single = true;
    std::size_t const segment = batch_.add_segment(prompt);
    std::size_t const last = batch_.rows() - 1;
    for (std::vector<std::int32_t> const& candidate : candidates) {
      batch_.request(last, candidate[0]);
      if (candidate.size() == 1) continue;
      single = false;
      // Nothing is scored after a candidate's last token, so it needs no row.
      std::size_t const begin = batch_.rows();
      batch_.add_segment(std::span(candidate).first(candidate.size() - 1), segment);
      for (std::size_t i = 1; i < candidate.size(); ++i) batch_.request(begin + i - 1, candidate[i]);
    }
    return single;
  }

  void check(Example const& example, std::size_t index) const {
    auto refuse = [&](std::string const& why) {
      throw InvalidArgument("example " + std::to_string(index) + ": " + why);
    };
    auto has_empty = [](std::span<std::vector<std::int32_t> const> candidates) {
      return std::any_of(candidates.begin(), candidates.end(), [](auto const& c) { return c.empty(); });
    };
    if (example.prompt.empty()) refuse("its prompt has no tokens");
    if (example.label >= example.candidates.size())
      refuse("label " + std::to_string(example.label) + " is not below the number of candidates, " +
             std::to_string(example.candidates.size()));
    if (has_empty(example.candidates)) refuse("a candidate has no tokens");
    if (options_.loss == Loss::language_model && example.candidates.size() != 1)
      refuse("a text to model is one candidate, not " + std::to_string(example.candidates.size()));
    if (options_.candidate != CandidateScore::against_neutral) return;
    if (example.neutral.prompt.empty()) refuse("its neutral prompt has no tokens");
    if (example.neutral.candidates.size() != example.candidates.size())
      refuse("its neutral prompt has " + std::to_string(example.neutral.candidates.size()) + " candidates, not " +
             std::to_string(example.candidates.size()));
    if (has_empty(example.neutral.candidates)) refuse("a candidate after its neutral prompt has no tokens");
  }

  /// Adds one lane's results, computed from the scores of its requests.
  void reduce(std::span<Example const> examples, std::span<double const> tokens) {
    double total = 0;
    std::size_t next = 0;
    auto sum_of = [&](std::vector<std::int32_t> const& candidate) {
      double sum = 0;
      for (std::size_t i = 0; i < candidate.size(); ++i) sum += tokens[next++];
      return sum;
    };
    for (Example const& example : examples) {
      std::size_t const first = result_.candidate_scores.size();
      for (std::vector<std::int32_t> const& candidate : example.candidates) {
        double const sum = sum_of(candidate);
        bool const mean = options_.candidate == CandidateScore::mean;
        result_.candidate_scores.push_back(mean ? sum / static_cast<double>(candidate.size()) : sum);
        if (options_.loss == Loss::language_model) total -= sum;
      }
      auto const scores = std::span<double>(result_.candidate_scores).subspan(first);
      if (options_.candidate == CandidateScore::against_neutral)
        for (std::size_t c = 0; c < scores.size(); ++c) scores[c] -= sum_of(example.neutral.candidates[c]);
      auto const best = std::max_element(scores.begin(), scores.end());
      result_.predictions.push_back(static_cast<std::size_t>(best - scores.begin()));
      if (options_.loss == Loss::cross_entropy) total += cross_entropy(scores, *best, example.label);
    }
    result_.losses.push_back(total / static_cast<double>(result_.weight));
  }

  static double cross_entropy(std::span<double const> scores, double best, std::size_t label) {
    double partition = 0;
    for (double score : scores) partition += std::exp(score - best);
    return best + std::log(partition) - scores[label];
  }

  D* decoder_;
  ScoringOptions options_;
  PackedBatch batch_;
  std::vector<double> token_scores_;
  ScoredBatch result_;
};

}  // namespace zeroth::ZEROTH_ISA::model
