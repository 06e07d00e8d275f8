// SPDX-License-Identifier: MIT
#include "option_checks.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth_model/families/published_models.hpp>

#include "method_options.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {
namespace {

void check_device(DeviceOptions const& options, bool has_adapter) {
  if (options.cuda_device && has_adapter)
    throw InvalidArgument("--device: adapters, deltas and tuned scales run only on the CPU");
}

void check_estimator(MethodOptions const& options) {
  std::uint32_t const samples = *resolved(options).samples;
  if (options.estimator == EstimatorName::fzoo && samples < Fzoo::least_samples)
    throw InvalidArgument("--samples: expected at least " + std::to_string(Fzoo::least_samples) +
                          " with --estimator fzoo, found " + std::to_string(samples));
}

void check_lora(FinetuneOptions const& options) {
  if (options.lora_rank && !options.adapter.empty())
    throw InvalidArgument("--adapter: expected no --lora-rank with it, which makes a new adapter");
  if (!options.lora_rank && options.lora_alpha)
    throw InvalidArgument("--lora-alpha: expected --lora-rank with it, found none");
  if (!options.lora_rank && !options.lora_targets.empty())
    throw InvalidArgument("--lora-targets: expected --lora-rank with it, found none");
}

void check_beside(FinetuneOptions const& options) {
  if (options.tunes_adapter() && options.delta)
    throw InvalidArgument("--delta: expected no adapter with it, as only one of them is tuned");
  if (options.tunes_adapter() && options.tune_scales)
    throw InvalidArgument("--tune-scales: expected no adapter with it, as only one of them is tuned");
  if (options.delta && options.tune_scales)
    throw InvalidArgument("--tune-scales: expected no --delta with it, as only one of them is tuned");
  if (options.delta && options.method == Method::s_mezo)
    throw InvalidArgument("--delta: expected --method mezo or r-mezo with it, as a delta is sparse by itself, found " +
                          std::string(to_string(options.method)));
  if (options.tune_scales && options.dtype != DataType::f32)
    throw InvalidArgument("--tune-scales: expected --dtype f32, as the weights stay as they are stored, found " +
                          std::string(to_string(options.dtype)));
  if (options.tune_scales && options.no_mmap)
    throw InvalidArgument("--tune-scales: expected no --no-mmap with it, as decoded weights have no scales");
}

void check_window(FinetuneOptions const& options) {
  if (options.update != UpdateName::window_momentum) return;
  if (options.method == Method::s_mezo) throw update_refusal(options);
  if (options.dtype != DataType::f32 && !options.only_reads_weights())
    throw InvalidArgument("--update window-momentum: expected --dtype f32, or an adapter to tune, found " +
                          std::string(to_string(options.dtype)));
}

void check_random_model(FinetuneOptions const& options) {
  if (!options.random_model) return;
  try {
    static_cast<void>(model::published_model(*options.random_model));
  } catch (InvalidArgument const& error) {
    throw InvalidArgument(std::string("--random-model: ") + error.what());
  }
  if (options.only_reads_weights())
    throw InvalidArgument("--random-model: expected no adapter, delta or tuned scales with it");
  if (options.save) throw InvalidArgument("--random-model: expected no --save with it, as such a model is not saved");
}

}  // namespace

InvalidArgument update_refusal(MethodOptions const& options) {
  return InvalidArgument("--update " + std::string(to_string(options.update)) +
                         ": expected a method whose mask does not depend on the weights, mezo or r-mezo, found " +
                         std::string(to_string(options.method)));
}

void check_options(FinetuneOptions const& options) {
  check_estimator(options);
  check_lora(options);
  check_beside(options);
  check_window(options);
  check_device(options, options.only_reads_weights());
  check_random_model(options);
  std::uint64_t const steps = options.steps.value_or(defaults_of(options.method).steps);
  if (options.warmup_steps >= steps)
    throw InvalidArgument("--warmup-steps: expected less than the number of steps, " + std::to_string(steps) +
                          ", found " + std::to_string(options.warmup_steps));
  if (options.batch_size % options.micro_batches != 0)
    throw InvalidArgument("--micro-batches: expected a divisor of the batch size, " +
                          std::to_string(options.batch_size) + ", found " + std::to_string(options.micro_batches));
  if (options.save_step == SaveStep::best && options.validation_examples == 0)
    throw InvalidArgument("--save-step best: expected --validation-examples with it, found none");
  check_task_option(options.task);
}

void check_options(ReplayModelOptions const& options) {
  check_device(options, !options.adapter.empty());
}

void check_options(JournalOptions const& options) {
  if (options.json && !options.plot.empty())
    throw InvalidArgument("--plot: expected no --json with it: the image replaces what is printed");
  if (options.repair && (options.json || !options.plot.empty()))
    throw InvalidArgument("--repair: expected neither --json nor --plot with it");
}

void check_options(EvalOptions const& options) {
  check_device(options, !options.adapter.empty());
  check_task_option(options.task);
}

void check_options(ExportOptions const& options) {
  if (model::find_tensor_type(options.dtype)->is_quantized() && options.to == ExportFormat::safetensors)
    throw InvalidArgument("--dtype " + std::string(to_string(options.dtype)) +
                          ": expected --to gguf with it, as safetensors has no quantised types");
  if (options.to != ExportFormat::gguf_lora) return;
  if (options.adapter.empty()) throw InvalidArgument("--to gguf-lora: expected --adapter with it, found none");
  if (options.dtype != model::TensorType::f32)
    throw InvalidArgument("--to gguf-lora: expected --dtype f32, as adapters are written in f32, found " +
                          std::string(to_string(options.dtype)));
}

void check_options(ScoreOptions const& options) {
  check_device(options, !options.adapter.empty());
}

void check_options(GenerateOptions const& options) {
  check_device(options, !options.adapter.empty());
}

}  // namespace zeroth::cli
