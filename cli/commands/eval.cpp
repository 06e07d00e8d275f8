// SPDX-License-Identifier: MIT
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>

#include "commands.hpp"
#include "examples.hpp"
#include "io/json.hpp"
#include "io/output.hpp"
#include "io/paths.hpp"
#include "io/standard_streams.hpp"
#include "run/evaluation.hpp"
#include "run/progress.hpp"

namespace zeroth::cli {
namespace {

/// The result of each example, and where it came from.
Json to_json(EvaluationResult const& result, EncodedExamples const& examples, std::span<TextExample const> texts,
             Task const& task) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < examples.examples.size(); ++i) {
    TextExample const& text = texts[examples.sources[i]];
    Json row{{"line", text.line}, {"element", text.element}};
    if (task.is_text()) {
      row["tokens"] = examples.examples[i].candidates[0].size();
      row["loss"] = -result.scores[i][0];
    } else {
      if (!text.candidates.empty()) row["candidates"] = text.candidates;
      row["label"] = examples.examples[i].label;
      row["prediction"] = result.predictions[i];
      row["scores"] = result.scores[i];
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int run(EvalOptions const& options) {
  Task const task = find_task(options.task);
  check_writable(options.output, {options.model, options.task, options.data});
  TaskData data = load_task(task, options.data);
  LanguageModel const model(options, options.dtype, options.cuda_device, options.maps_weights());
  std::string demonstrations = take_demonstrations(task, data, options.shots, options.seed);
  std::span<TextExample const> const texts = choose_held_out_examples(data, options.evaluation_examples);
  EncodingRules const rules = encoding_rules(task, data, std::move(demonstrations), longest_sequence(options, model));
  EncodedExamples const examples = encode(texts, rules, model.tokenizer);
  ThreadPool executor{options.threads};
  model::AnyDecoder decoder = make_decoder(model, options, executor);

  std::optional<EvaluationResult> result;
  {
    Progress progress(0);
    result = evaluate(decoder, examples, task, [&](std::size_t done) {
      progress.evaluation(done, examples.examples.size());
      return true;
    });
  }
  Json const json{{"model", path_text(options.model)},
                  {"adapter", options.adapter.empty() ? Json(nullptr) : Json(path_text(options.adapter))},
                  {"task", path_text(options.task)},
                  {"split", data.split.empty() ? Json(nullptr) : Json(data.split)},
                  {"shots", options.shots},
                  {"candidates", data.candidates.empty() ? Json(nullptr) : Json(data.candidates)},
                  {"examples", examples.examples.size()},
                  {"examples_truncated", examples.truncated},
                  {"accuracy", result->accuracy ? Json(*result->accuracy) : Json(nullptr)},
                  {"metric", to_string(task.metric.kind)},
                  {"metric_value", result->metric},
                  {"loss", result->loss},
                  {"per_example", to_json(*result, examples, texts, task)}};
  OutputFile output(options.output);
  output.write(json_text(json, 2) + "\n");
  output.finish();
  if (!data.split.empty()) tell(data.split);
  EvaluationMetrics const metrics{0, result->accuracy, result->metric, result->loss, examples.examples.size()};
  tell(summary_of(metrics, task.metric) + " on " + std::to_string(examples.examples.size()) + " held-out examples");
  return 0;
}

}  // namespace zeroth::cli
