// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

#include "../measure.hpp"

// Steps and forwards on demand, so that another program can time its own between them. Requests and answers are one
// line of JSON each:
//   {"do": "forwards" | "mezo" | "s_mezo", "examples": [{"prompt": [1, 2], "candidates": [[5], [9]], "label": 0}]}
//   {"seconds": 0.5, "losses": [1.25], "rows": 512}
// Two plain forwards, or a step; its losses are those at theta, or at the two points of the step.

namespace zeroth_bench {

/// A decoder, and everything that its steps need, on any backend.
template <class Backend>
class StepRunner {
 public:
  StepRunner(zeroth::model::DecoderWeights& weights, zeroth::model::AnyDecoder decoder, Backend const& backend)
      : decoder_(std::move(decoder)),
        scorer_(decoder_),
        dense_(weights.parameters(), zeroth::Gaussian{}, zeroth::Dense{}, backend, options),
        sparse_(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75}, backend,
                options) {}
  StepRunner(StepRunner const&) = delete;
  StepRunner& operator=(StepRunner const&) = delete;
  ~StepRunner() = default;

  nlohmann::json answer(nlohmann::json const& request) {
    std::vector<zeroth::model::Example> const examples = examples_of(request);
    std::string const what = request.at("do");
    std::vector<double> losses;
    auto evaluate = [&](zeroth::AnyProbe const& lanes, std::span<double> out) {
      losses = scorer_.score(examples, lanes).losses;
      std::ranges::copy(losses, out.begin());
    };
    double time = 0;
    if (what == "forwards") {
      time = seconds([&] {
        scorer_.score(examples);
        losses = scorer_.score(examples).losses;
      });
    } else if (what == "mezo") {
      time = seconds([&] { dense_.step(evaluate); });
    } else if (what == "s_mezo") {
      time = seconds([&] { sparse_.step(evaluate); });
    } else {
      throw zeroth::InvalidArgument("do: expected forwards, mezo or s_mezo, found '" + what + "'");
    }
    return {{"seconds", time}, {"losses", losses}, {"rows", scorer_.batch().rows()}};
  }

 private:
  /// A learning rate so small that no weight changes: every step then does the same work.
  static constexpr zeroth::Options options{.epsilon = 1e-3, .learning_rate = 1e-20};

  static std::vector<zeroth::model::Example> examples_of(nlohmann::json const& request) {
    std::vector<zeroth::model::Example> examples;
    for (auto const& one : request.at("examples"))
      examples.push_back({one.at("prompt").get<std::vector<std::int32_t>>(),
                          one.at("candidates").get<std::vector<std::vector<std::int32_t>>>(),
                          one.at("label").get<std::size_t>()});
    return examples;
  }

  zeroth::model::AnyDecoder decoder_;
  zeroth::model::CandidateScorer<zeroth::model::AnyDecoder> scorer_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, Backend> dense_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, Backend> sparse_;
};

/// Prints a description of the model, then answers each line of standard input.
template <class Answer>
void serve(nlohmann::json const& greeting, Answer const& answer) {
  std::cout << greeting << std::endl;
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(nlohmann::json::parse(line)) << std::endl;
}

}  // namespace zeroth_bench
