// SPDX-License-Identifier: MIT
#include "adapter.hpp"

#include <array>
#include <cstdio>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/adapter/lora.hpp>

#include "io/text.hpp"

namespace zeroth::cli {

void make_adapter(LanguageModel& model, FinetuneOptions& options) {
  if (options.lora_rank && !model.adapter) {
    model::LoraOptions lora{.rank = *options.lora_rank, .seed = options.seed};
    if (options.lora_alpha) lora.alpha = *options.lora_alpha;
    if (!options.lora_targets.empty()) lora.targets = options.lora_targets;
    options.lora_targets = lora.targets;
    try {
      model.adapter.emplace(model.weights, lora);
    } catch (InvalidArgument const& error) {
      throw InvalidArgument("--lora-targets: " + std::string(error.what()));
    }
  }
  ThreadPool executor(options.threads);
  if (options.delta)
    model.delta.emplace(
        model.weights,
        model::DeltaOptions{.share = *options.delta, .choice = options.delta_choice, .seed = options.seed},
        AnyExecutor(executor));
  if (options.tune_scales) {
    try {
      model.scales.emplace(model.weights);
    } catch (InvalidArgument const&) {
      throw InvalidArgument("--tune-scales: expected a model with quantised weights, found none in " +
                            model.source.path());
    }
  }
  if (!model.adapter) return;
  options.lora_rank = model.adapter->rank();
  options.lora_alpha = model.adapter->alpha();
}

std::string adapter_summary(LanguageModel const& model) {
  std::string const size = std::to_string(model.tuned().weights()) + " weights, " + human_bytes(model.beside_bytes());
  std::string const rest = "; the model's own weights are not tuned";
  std::string const matrices = std::to_string(model.tuned().size()) + " matrices: ";
  if (model.delta) return "tuning a sparse delta on " + matrices + size + rest;
  if (model.scales) return "tuning the scales of the blocks of " + matrices + size + "; the quants are not tuned";
  std::array<char, 32> alpha{};
  std::snprintf(alpha.data(), alpha.size(), "%g", model.adapter->alpha());
  return "tuning a LoRA adapter of rank " + std::to_string(model.adapter->rank()) + " and alpha " + alpha.data() +
         " on " + std::to_string(model.adapter->pairs().size()) + " matrices: " + size + rest;
}

}  // namespace zeroth::cli
