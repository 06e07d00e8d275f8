// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/storage/data_type.hpp>
#include <zeroth/update/schedule.hpp>
#include <zeroth_model/adapter/sparse_delta.hpp>
#include <zeroth_model/decoder/sampling.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/model_format.hpp>

#include "method_options.hpp"

namespace zeroth::cli {

using SaveFormat = model::ModelFormat;

/// Which step's model a run saves.
enum class SaveStep : std::uint8_t { last, best };

/// What runs the transformer: zeroth's own vector code, Eigen, or Eigen with oneDNN's matrix products.
enum class DecoderBackend : std::uint8_t { cpu, eigen, onednn };

[[nodiscard]] constexpr std::string_view to_string(DecoderBackend backend) noexcept {
  switch (backend) {
    case DecoderBackend::cpu:
      return "cpu";
    case DecoderBackend::eigen:
      return "eigen";
    case DecoderBackend::onednn:
      return "onednn";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(SaveStep step) noexcept {
  switch (step) {
    case SaveStep::last:
      return "last";
    case SaveStep::best:
      return "best";
  }
  return "unknown";
}

/// Name of a type that a model can be written in.
[[nodiscard]] constexpr std::string_view to_string(model::TensorType type) noexcept {
  switch (type) {
    case model::TensorType::f16:
      return "f16";
    case model::TensorType::bf16:
      return "bf16";
    case model::TensorType::q8_0:
      return "q8_0";
    case model::TensorType::q4_0:
      return "q4_0";
    default:
      return "f32";
  }
}

// Each field of these structs has a row in the table of options, run_options.hpp or other_options.hpp: a test fails if
// one has none.

/// The model to start from.
struct BaseModelOptions {
  std::filesystem::path model;
};

/// A model and an adapter of it.
struct ModelOptions : BaseModelOptions {
  std::filesystem::path adapter;  ///< folder of a LoRA adapter in PEFT's format; empty: none
};

/// Where to compute.
struct DeviceOptions {
  unsigned threads = 0;                      ///< 0: all that the machine offers
  std::optional<std::uint32_t> cuda_device;  ///< number of the GPU; none: the CPU
};

/// Where and how to compute.
struct ComputeOptions : DeviceOptions {
  DataType dtype = DataType::f32;  ///< how matrices are stored
  DecoderBackend backend = DecoderBackend::cpu;
  std::optional<DataType> compute_dtype;  ///< type of the inputs of matrix products; default f32
  bool no_mmap = false;                   ///< decode weights that are only read, instead of leaving them in their files

  /// Whether weights that are only read stay in their files, in their encoding.
  [[nodiscard]] bool maps_weights() const noexcept { return !no_mmap && dtype == DataType::f32 && !cuda_device; }
};

/// A model, a task and its data: what `finetune` and `eval` have in common.
struct TaskOptions : ModelOptions, ComputeOptions {
  std::string task;  ///< name of a built-in task, or a task file
  std::filesystem::path data;
  std::uint64_t evaluation_examples = 500;
  std::optional<std::uint32_t> max_tokens;  ///< default: 512, or the context of the model if that is shorter
  std::uint32_t shots = 0;                  ///< training examples shown before each prompt
  std::uint64_t seed = 0;
};

/// Factor of the default learning rates when an adapter is tuned: it has hundreds of times fewer weights, and the loss
/// along a random direction in them is less curved.
inline constexpr double adapter_rate_factor = 10;

/// The same for the scales of blocks, by which the loss is far more curved: a scale moves all of its block's weights,
/// each by its quant. Measured on one model.
inline constexpr double scales_rate_factor = 1e-3;
inline constexpr double default_epsilon = 1e-3;
inline constexpr double default_scales_epsilon = 1e-4;

/// A new adapter, to be tuned instead of the model's own weights.
struct LoraArguments {
  std::optional<std::uint32_t> lora_rank;  ///< none: no new adapter
  std::optional<double> lora_alpha;        ///< default: that of model::LoraOptions
  std::vector<std::string> lora_targets;   ///< default, if empty: those of model::LoraOptions
};

/// Parameters beside the model's weights, to be tuned instead of these.
struct BesideArguments {
  std::optional<double> delta;  ///< share of each matrix's weights that a sparse delta has; none: no delta
  model::DeltaChoice delta_choice = model::DeltaChoice::smallest;
  bool tune_scales = false;  ///< the scales of quantised blocks
};

/// `zeroth finetune`.
struct FinetuneOptions : TaskOptions, MethodOptions, LoraArguments, BesideArguments {
  std::filesystem::path out;
  std::optional<double> learning_rate;  ///< default: default_learning_rate()
  std::optional<std::uint64_t> steps;   ///< default: defaults_of(method)
  Schedule::Shape schedule = Schedule::Shape::linear;
  std::uint64_t warmup_steps = 0;
  std::uint32_t batch_size = 16;
  std::uint32_t micro_batches = 1;
  std::uint64_t train_examples = 1000;
  std::uint64_t validation_examples = 0;        ///< set aside from the training split to find the best step
  std::optional<std::uint64_t> evaluate_every;  ///< default: a tenth of the steps; 0: only before and after
  std::optional<SaveFormat> save;               ///< default: safetensors; gguf for scales; no model for an adapter
  SaveStep save_step = SaveStep::last;          ///< best: needs validation examples
  bool overwrite = false;
  std::optional<std::string> random_model;  ///< shape of a model with random weights; none: `model` itself
  std::filesystem::path resume;             ///< folder of the run to resume; empty: a new run

  /// Whether an adapter is tuned instead of the model's own weights.
  [[nodiscard]] bool tunes_adapter() const noexcept { return lora_rank.has_value() || !adapter.empty(); }

  /// Whether the model's own weights are only read: what is tuned lies beside them.
  [[nodiscard]] bool only_reads_weights() const noexcept { return tunes_adapter() || delta || tune_scales; }
};

/// `zeroth replay`.
struct ReplayModelOptions : ModelOptions, DeviceOptions {
  std::filesystem::path journal;
  std::filesystem::path output;
  std::optional<std::uint64_t> until;  ///< how many steps; default all
  SaveFormat save = SaveFormat::safetensors;
  bool overwrite = false;
};

/// `zeroth journal`.
struct JournalOptions {
  std::filesystem::path journal;
  bool json = false;
  std::filesystem::path plot;  ///< SVG image to write instead of printing the journal; empty: none
  bool repair = false;         ///< cut the journal at its first bad record instead of printing it
};

/// `zeroth eval`.
struct EvalOptions : TaskOptions {
  std::filesystem::path output;
};

/// `zeroth score`.
struct ScoreOptions : ModelOptions, ComputeOptions {
  std::filesystem::path input;
  std::filesystem::path output;
};

/// `zeroth generate`.
struct GenerateOptions : ModelOptions, ComputeOptions, model::SamplingOptions {
  std::string prompt;
  std::uint32_t max_new_tokens = 128;
};

/// `zeroth tokenize`.
struct TokenizeOptions : BaseModelOptions {
  std::filesystem::path input;
  std::filesystem::path output = "/dev/stdout";
};

/// What `zeroth export` writes: a model, or the adapter alone for llama.cpp.
enum class ExportFormat : std::uint8_t { safetensors, gguf, gguf_lora };

[[nodiscard]] constexpr std::string_view to_string(ExportFormat format) noexcept {
  switch (format) {
    case ExportFormat::safetensors:
      return "safetensors";
    case ExportFormat::gguf:
      return "gguf";
    case ExportFormat::gguf_lora:
      return "gguf-lora";
  }
  return "unknown";
}

/// `zeroth export`.
struct ExportOptions : ModelOptions {
  std::filesystem::path output;
  ExportFormat to = ExportFormat::safetensors;
  model::TensorType dtype = model::TensorType::f32;
  bool overwrite = false;
};

/// `zeroth inspect`.
struct InspectOptions : BaseModelOptions {
  bool json = false;
};

/// `zeroth tasks`.
struct TasksOptions {
  std::string name;  ///< empty: all
};

/// A shell that the program can write a completion script for.
enum class Shell : std::uint8_t { bash, zsh, fish };

[[nodiscard]] constexpr std::string_view to_string(Shell shell) noexcept {
  switch (shell) {
    case Shell::bash:
      return "bash";
    case Shell::zsh:
      return "zsh";
    case Shell::fish:
      return "fish";
  }
  return "unknown";
}

/// `zeroth completion`.
struct CompletionOptions {
  Shell shell = Shell::bash;
};

}  // namespace zeroth::cli
