// SPDX-License-Identifier: MIT
#include "examples.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>

#include <zeroth/error.hpp>

#include "io/text.hpp"
#include "tasks/order.hpp"

namespace zeroth::cli {
namespace {

// Epochs that no run reaches, so that these choices use other random bits than the order of the batches.
constexpr std::uint32_t training_epoch = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t demonstrations_epoch = training_epoch - 1;
constexpr std::uint32_t demonstrations_order_epoch = training_epoch - 2;

/// Indices of `count` training examples, one of each candidate in turn while there are any.
std::vector<std::uint32_t> choose_balanced(TaskData const& data, std::size_t count, std::uint64_t seed) {
  std::vector<std::vector<std::uint32_t>> classes;
  for (std::uint32_t i : permutation(seed, demonstrations_epoch, static_cast<std::uint32_t>(data.train.size()))) {
    std::uint32_t const label = data.train[i].label;
    if (label >= classes.size()) classes.resize(label + 1);
    classes[label].push_back(i);
  }
  std::vector<std::uint32_t> chosen;
  for (std::size_t turn = 0; chosen.size() < count; ++turn)
    for (std::vector<std::uint32_t> const& members : classes)
      if (turn < members.size() && chosen.size() < count) chosen.push_back(members[turn]);
  return chosen;
}

}  // namespace

std::uint32_t longest_sequence(TaskOptions const& options, LanguageModel const& model) {
  constexpr std::uint32_t usual = 512;
  std::uint32_t const context = model.weights.config().context_length;
  if (options.max_tokens && *options.max_tokens > context)
    throw InvalidArgument("--max-tokens: expected at most the model's context, " + std::to_string(context) +
                          ", found " + std::to_string(*options.max_tokens));
  return options.max_tokens.value_or(std::min(usual, context));
}

TrainingChoice choose_training_examples(TaskData const& data, std::uint64_t count, std::uint64_t validation,
                                        std::uint64_t seed) {
  std::vector<std::uint32_t> const order =
      permutation(seed, training_epoch, static_cast<std::uint32_t>(data.train.size()));
  if (validation != 0 && validation >= order.size())
    throw InvalidArgument("--validation-examples: expected fewer than there are training examples, " +
                          std::to_string(order.size()) + ", found " + std::to_string(validation));
  // Taken from the end of the order, so that a run without validation trains on the same examples.
  auto const [others, last] =
      std::pair(std::span(order).first(order.size() - validation), std::span(order).last(validation));
  TrainingChoice chosen;
  std::unordered_set<std::string> left_out;
  for (std::uint32_t i : last) {
    chosen.validation.push_back(data.train[i]);
    left_out.insert(identity_of(data.train[i]));
  }
  for (std::uint32_t i : others)
    if (chosen.train.size() < count && !left_out.contains(identity_of(data.train[i])))
      chosen.train.push_back(data.train[i]);
  return chosen;
}

std::span<TextExample const> choose_held_out_examples(TaskData const& data, std::uint64_t count) {
  return std::span(data.held_out).first(std::min<std::uint64_t>(count, data.held_out.size()));
}

std::string take_demonstrations(Task const& task, TaskData& data, std::uint32_t count, std::uint64_t seed) {
  if (count == 0) return {};
  if (task.is_text())
    throw InvalidArgument("--shots: expected 0 for a text, which has no candidates, found " + std::to_string(count));
  if (count > data.train.size())
    throw InvalidArgument("--shots: expected at most the number of training examples, " +
                          std::to_string(data.train.size()) + ", found " + std::to_string(count));
  std::vector<std::uint32_t> chosen = choose_balanced(data, count, seed);
  std::string text;
  for (std::uint32_t i : permutation(seed, demonstrations_order_epoch, count)) {
    TextExample const& example = data.train[chosen[i]];
    text += std::string(strip(example.prompt + candidates_of(example, data)[example.label])) + "\n\n";
  }
  std::vector<bool> taken(data.train.size());
  for (std::uint32_t i : chosen) taken[i] = true;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) continue;
    if (kept != i) data.train[kept] = std::move(data.train[i]);
    ++kept;
  }
  data.train.resize(kept);
  return text;
}

EncodingRules encoding_rules(Task const& task, TaskData const& data, std::string demonstrations,
                             std::uint32_t max_tokens) {
  return {.candidates = data.candidates,
          .demonstrations = std::move(demonstrations),
          .candidates_own_shared_beginning = task.candidates_own_shared_beginning,
          .against_neutral = task.neutral.has_value(),
          .is_text = task.is_text(),
          .max_tokens = max_tokens};
}

}  // namespace zeroth::cli
