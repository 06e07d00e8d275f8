// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <cstddef>
#include <limits>

#include <zeroth/error.hpp>
#include <zeroth/model/format/json_file.hpp>

#include "json.hpp"
#include "text.hpp"

namespace zeroth::cli {
namespace {

double number_or_nan(model::JsonValue const& line, char const* key) {
  return line.find<double>(key).value_or(std::numeric_limits<double>::quiet_NaN());
}

std::variant<StepMetrics, EvaluationMetrics> read_line(model::JsonValue const& line) {
  auto const step = line.get<std::uint64_t>("step");
  if (line.has("type", "step")) {
    StepMetrics metrics;
    metrics.step = step;
    metrics.active_weights = line.get<std::uint64_t>("active_weights");
    metrics.seconds = line.get<double>("seconds");
    return metrics;
  }
  for (EvaluationSet set : {EvaluationSet::held_out, EvaluationSet::validation})
    if (line.has("type", type_of(set)))
      return EvaluationMetrics{step,
                               line.find<double>("accuracy"),
                               number_or_nan(line, "metric"),
                               number_or_nan(line, "loss"),
                               line.get<std::uint64_t>("examples"),
                               set};
  throw line.mismatch("a step, an evaluation or a validation");
}

}  // namespace

std::vector<MetricsLine> read_metrics(std::filesystem::path const& path) {
  std::string const text = read_text(path);
  std::vector<MetricsLine> lines;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    try {
      auto const line = model::JsonValue::parse(std::string_view(text).substr(begin, end - begin), path.string());
      lines.push_back({read_line(line), end + 1});
    } catch (InvalidFile const&) {
      break;
    }
  }
  return lines;
}

void MetricsFile::write(StepMetrics const& metrics) {
  Json const skipped = metrics.skipped.empty() ? Json(nullptr) : Json(std::string(metrics.skipped));
  file_.append(json_text({{"type", "step"},
                          {"step", metrics.step},
                          {"loss", metrics.loss},
                          {"loss_base", or_null(metrics.loss_base)},
                          {"loss_plus", or_null(metrics.loss_plus)},
                          {"loss_minus", or_null(metrics.loss_minus)},
                          {"projected_gradient", metrics.projected_gradient},
                          {"learning_rate", metrics.learning_rate},
                          {"active_weights", metrics.active_weights},
                          {"seconds", metrics.seconds},
                          {"skipped", skipped}}));
}

void MetricsFile::write(EvaluationMetrics const& metrics) {
  file_.append(json_text({{"type", type_of(metrics.set)},
                          {"step", metrics.step},
                          {"accuracy", or_null(metrics.accuracy)},
                          {"metric", metrics.metric},
                          {"loss", metrics.loss},
                          {"examples", metrics.examples}}));
}

}  // namespace zeroth::cli
