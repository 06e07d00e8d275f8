// SPDX-License-Identifier: MIT
#include "examples.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include <zeroth/error.hpp>

#include "order.hpp"

namespace zeroth::cli {

std::uint32_t longest_sequence(TaskOptions const& options, LanguageModel const& model) {
  constexpr std::uint32_t usual = 512;
  std::uint32_t const context = model.weights.config().context_length;
  if (options.max_tokens && *options.max_tokens > context)
    throw InvalidArgument("--max-tokens: expected at most the model's context, " + std::to_string(context) +
                          ", found " + std::to_string(*options.max_tokens));
  return options.max_tokens.value_or(std::min(usual, context));
}

std::vector<TextExample> choose_training_examples(TaskData const& data, std::uint64_t count, std::uint64_t seed) {
  // An epoch that no run reaches, so that the choice shares no random bits with the order of batches.
  constexpr std::uint32_t epoch = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> const order = permutation(seed, epoch, static_cast<std::uint32_t>(data.train.size()));
  std::vector<TextExample> chosen;
  for (std::size_t i = 0; i < std::min<std::uint64_t>(count, order.size()); ++i) chosen.push_back(data.train[order[i]]);
  return chosen;
}

std::span<TextExample const> choose_held_out_examples(TaskData const& data, std::uint64_t count) {
  return std::span(data.held_out).first(std::min<std::uint64_t>(count, data.held_out.size()));
}

}  // namespace zeroth::cli
