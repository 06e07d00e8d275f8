// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <nlohmann/json.hpp>

namespace zeroth::cli {

using Json = nlohmann::ordered_json;

namespace {

Json or_null(std::optional<double> const& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

void MetricsFile::write(StepMetrics const& metrics) {
  Json const skipped = metrics.skipped.empty() ? Json(nullptr) : Json(std::string(metrics.skipped));
  file_.append(Json{
      {"type", "step"},
      {"step", metrics.step},
      {"loss", metrics.loss},
      {"loss_base", or_null(metrics.loss_base)},
      {"loss_plus", or_null(metrics.loss_plus)},
      {"loss_minus", or_null(metrics.loss_minus)},
      {"projected_gradient", metrics.projected_gradient},
      {"learning_rate", metrics.learning_rate},
      {"active_weights", metrics.active_weights},
      {"seconds", metrics.seconds},
      {"skipped",
       skipped}}.dump());
}

void MetricsFile::write(EvaluationMetrics const& metrics) {
  file_.append(Json{{"type", "evaluation"},
                    {"step", metrics.step},
                    {"accuracy", or_null(metrics.accuracy)},
                    {"metric", metrics.metric},
                    {"loss", metrics.loss},
                    {"examples", metrics.examples}}
                   .dump());
}

}  // namespace zeroth::cli
