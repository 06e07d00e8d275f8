// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <nlohmann/json.hpp>

namespace zeroth::cli {

using Json = nlohmann::ordered_json;

void MetricsFile::write(StepMetrics const& metrics) {
  Json const skipped = metrics.skipped.empty() ? Json(nullptr) : Json(std::string(metrics.skipped));
  file_.append(Json{
      {"type", "step"},
      {"step", metrics.step},
      {"loss", metrics.loss},
      {"loss_plus", metrics.loss_plus},
      {"loss_minus", metrics.loss_minus},
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
                    {"accuracy", metrics.accuracy ? Json(*metrics.accuracy) : Json(nullptr)},
                    {"metric", metrics.metric},
                    {"loss", metrics.loss},
                    {"examples", metrics.examples}}
                   .dump());
}

}  // namespace zeroth::cli
