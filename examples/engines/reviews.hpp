// SPDX-License-Identifier: MIT
// What the programs of this folder share and no engine needs: a batch of movie reviews, our transformer's loss on it,
// the time of a step, and the line of JSON that a program ends with.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/executor/openmp.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/open_model.hpp>
#include <zeroth_model/ops/cpu.hpp>

namespace engines {

inline constexpr std::size_t batch_sequences = 16;
inline constexpr std::size_t batch_tokens = 32;  ///< of each sequence
inline constexpr int steps = 100;

/// 16 reviews with the question that the task movie-reviews of the program `zeroth` asks: each prompt is 32 tokens, and
/// is continued by " terrible" (candidate 0) or " great". As many of one label as of the other.
/// @param path movieReviewSnippets_GroundTruth.txt, as scripts/fetch gets it
inline std::vector<zeroth::model::Example> review_batch(zeroth::model::AnyTokenizer const& tokenizer,
                                                        std::string const& path) {
  std::vector<std::vector<std::int32_t>> const candidates{tokenizer.encode(" terrible"), tokenizer.encode(" great")};
  std::vector<zeroth::model::Example> batch;
  std::size_t count[2] = {};
  std::ifstream file(path);
  for (std::string line; batch.size() < batch_sequences && std::getline(file, line);) {
    // ID, mean rating, text.
    std::size_t const rating = line.find('\t') + 1;
    std::size_t const text = line.find('\t', rating) + 1;
    double const mean = std::stod(line.substr(rating));
    std::size_t const label = mean > 0 ? 1 : 0;
    if ((mean >= -0.5 && mean <= 0.5) || count[label] == batch_sequences / 2) continue;
    std::vector<std::int32_t> tokens =
        tokenizer.encode(line.substr(text, line.find_last_not_of(" \r") + 1 - text) + " It was");
    if (tokens.size() < batch_tokens) continue;
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(batch_tokens));
    batch.push_back({.prompt = std::move(tokens), .candidates = candidates, .label = label});
    ++count[label];
  }
  if (batch.size() < batch_sequences) throw zeroth::InvalidFile(path + ": expected enough movie reviews of 32 tokens");
  return batch;
}

/// The loss of our own transformer on the batch.
inline double loss_of_ours(zeroth::model::Model const& model, std::vector<zeroth::model::Example> const& batch,
                           zeroth::AnyExecutor executor) {
  zeroth::model::Decoder decoder(model.weights, zeroth::model::CpuOps(executor));
  return zeroth::model::CandidateScorer(decoder).score(batch).losses[0];
}

/// Runs a journal over other memory that holds the base weights, and compares the bits of all tensors, by name.
/// @param base parameters that have at least the tensors of the run; they become the tuned ones
/// @param make `(parameters) -> optimizer`, as that of the run
template <class Make>
bool is_replayed(std::string const& journal, zeroth::ParameterSet const& tuned, zeroth::ParameterSet const& base,
                 Make const& make) {
  zeroth::ParameterSet again;
  for (zeroth::Parameter const& p : tuned) again.add(base[base.index_of(p.name)]);
  auto optimizer = make(again);
  zeroth::replay(zeroth::read_journal(journal), optimizer);
  return std::equal(
      tuned.begin(), tuned.end(), again.begin(), [](zeroth::Parameter const& a, zeroth::Parameter const& b) {
        return a.bytes() == b.bytes() && std::memcmp(a.data, b.data, static_cast<std::size_t>(a.bytes())) == 0;
      });
}

/// Seconds of steps and of the engine's own forward passes, measured in turn: on a machine that also does other things
/// their ratio means more than either.
class StepTimes {
 public:
  template <class Step, class Forward>
  void measure(Step const& step, Forward const& forward) {
    steps_.push_back(seconds(step));
    if (steps_.size() % 4 == 0) forwards_.push_back(seconds(forward));
  }
  [[nodiscard]] double step() const { return median(steps_); }

  /// The part of a step that is not `passes` forward passes.
  [[nodiscard]] double share_outside(double passes) const { return 1 - passes * median(forwards_) / median(steps_); }

 private:
  template <class F>
  static double seconds(F const& run) {
    auto const begin = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  static double median(std::vector<double> values) {
    auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  std::vector<double> steps_;
  std::vector<double> forwards_;
};

/// What a program ends with.
struct Result {
  std::string engine{};
  std::string version{};
  std::string mode{};
  double loss_before = 0;
  double loss_ours = 0;
  double loss_after = 0;
  double seconds_a_step = 0;
  double share_outside = 0;
  std::uint64_t memory = 0;  ///< bytes that zeroth holds
  bool replayed = false;     ///< whether the journal over our own copy of the base gives the engine's bits
};

inline void print(Result const& r) {
  std::printf(
      "{\"engine\": \"%s\", \"version\": \"%s\", \"mode\": \"%s\", \"loss_before\": %.8g, \"loss_ours\": %.8g, "
      "\"difference\": %.2g, \"loss_after\": %.6g, \"steps\": %d, \"seconds_a_step\": %.4g, \"share_outside\": %.4f, "
      "\"memory\": %llu, \"replayed\": %s}\n",
      r.engine.c_str(), r.version.c_str(), r.mode.c_str(), r.loss_before, r.loss_ours, r.loss_before - r.loss_ours,
      r.loss_after, steps, r.seconds_a_step, r.share_outside, static_cast<unsigned long long>(r.memory),
      r.replayed ? "true" : "false");
}

}  // namespace engines
