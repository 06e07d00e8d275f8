// SPDX-License-Identifier: MIT
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/executor/openmp.hpp>

#include "commands.hpp"
#include "evaluation.hpp"
#include "examples.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace zeroth::cli {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(EvaluationResult const& result, EncodedExamples const& examples, EvalOptions const& options,
             std::vector<std::string> const& candidates) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < examples.examples.size(); ++i)
    rows.push_back(Json{
        {"label", examples.examples[i].label}, {"prediction", result.predictions[i]}, {"scores", result.scores[i]}});
  return Json{{"model", options.model.string()},
              {"task", options.task},
              {"candidates", candidates},
              {"examples", examples.examples.size()},
              {"examples_truncated", examples.truncated},
              {"accuracy", result.accuracy},
              {"loss", result.loss},
              {"per_example", std::move(rows)}};
}

}  // namespace

int run(EvalOptions const& options) {
  check_writable(options.output, {options.model});
  TaskData const data = load_task(options.task, options.data);
  LanguageModel const model(options.model);
  EncodedExamples const examples = encode(choose_held_out_examples(data, options.evaluation_examples), data.candidates,
                                          model.tokenizer, longest_sequence(options, model));
  OpenMpExecutor executor{options.threads};
  model::AnyDecoder decoder = make_decoder(model.weights, options.backend, executor);

  std::optional<EvaluationResult> result;
  {
    Progress progress(0);
    result = evaluate(decoder, examples.examples, [&](std::size_t done) {
      progress.evaluation(done, examples.examples.size());
      return true;
    });
  }
  OutputFile output(options.output);
  output.write(to_json(*result, examples, options, data.candidates).dump(2) + "\n");
  output.finish();
  std::fprintf(stderr, "accuracy %.4f, loss %.4f on %zu held-out examples\n", result->accuracy, result->loss,
               examples.examples.size());
  return 0;
}

}  // namespace zeroth::cli
