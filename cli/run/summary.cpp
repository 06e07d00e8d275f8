// SPDX-License-Identifier: MIT
#include "summary.hpp"

#include <string>

#include <Eigen/Core>

#include <zeroth/config.hpp>

#include "io/json.hpp"
#include "io/output.hpp"
#include "io/paths.hpp"
#include "memory.hpp"
#include "options/options_json.hpp"

namespace zeroth::cli {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang++ " __clang_version__;
#elif defined(__GNUC__)
  return "g++ " __VERSION__;
#else
  return "unknown";
#endif
}

std::string eigen() {
  return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}

/// `value / count`, or null for a run without steps.
Json mean(double value, std::uint64_t count) {
  return count == 0 ? Json(nullptr) : Json(value / static_cast<double>(count));
}

Json to_json(std::optional<BestStep> const& best) {
  if (!best) return nullptr;
  return {{"step", best->validation.step},
          {"validation_accuracy", or_null(best->validation.accuracy)},
          {"validation_metric", best->validation.metric},
          {"validation_loss", best->validation.loss},
          {"accuracy", or_null(best->held_out.accuracy)},
          {"metric", best->held_out.metric},
          {"loss", best->held_out.loss}};
}

std::uint64_t stored_bytes(model::ModelSource const& source) {
  std::uint64_t bytes = 0;
  for (model::StoredTensor const& tensor : source.tensors()) bytes += tensor.bytes;
  return bytes;
}

}  // namespace

std::uint64_t saved_step(FinetuneOptions const& options, RunResult const& result) {
  return evaluation_of_saved(options, result).step;
}

EvaluationMetrics const& evaluation_of_saved(FinetuneOptions const& options, RunResult const& result) {
  return options.save_step == SaveStep::best ? result.best->held_out : *result.after;
}

void write_summary(std::filesystem::path const& path, FinetuneOptions const& options, Task const& task,
                   std::string const& split, LanguageModel const& model, RunExamples const& examples,
                   RunResult const& result) {
  Json const summary{
      {"accuracy_before", or_null(result.before->accuracy)},
      {"accuracy_after", or_null(result.after->accuracy)},
      {"metric", to_string(task.metric.kind)},
      {"metric_before", result.before->metric},
      {"metric_after", result.after->metric},
      {"loss_before", result.before->loss},
      {"loss_after", result.after->loss},
      {"steps", result.steps},
      {"skipped_steps", result.skipped_steps},
      {"interrupted", result.interrupted},
      {"seconds_per_step", mean(result.step_seconds, result.timed_steps)},
      {"peak_memory_bytes", peak_memory_bytes()},
      {"weights_bytes", model.weights.bytes()},
      {"weights", model.weights.size()},
      {"tuned_weights", result.tuned_weights},
      {"optimizer_bytes", result.optimizer_bytes},
      {"adapter_bytes", options.only_reads_weights() ? Json(result.adapter_bytes) : Json(nullptr)},
      {"active_share", mean(static_cast<double>(result.active_weights) / static_cast<double>(result.tuned_weights),
                            result.steps - result.skipped_steps)},
      {"best", to_json(result.best)},
      {"saved_step", saved_step(options, result)},
      {"train_examples", examples.train.examples.size()},
      {"validation_examples", examples.validation.examples.size()},
      {"evaluation_examples", examples.held_out.examples.size()},
      {"examples_truncated", examples.train.truncated + examples.validation.truncated + examples.held_out.truncated},
      {"split", split.empty() ? Json(nullptr) : Json(split)},
      {"model", {{"path", path_text(model.source.path())}, {"bytes", stored_bytes(model.source)}}},
      {"versions", {{"zeroth", version}, {"compiler", compiler()}, {"eigen", eigen()}}},
      {"options", used_options(options)}};
  OutputFile file(path);
  file.write(json_text(summary, 2) + "\n");
  file.finish();
}

}  // namespace zeroth::cli
