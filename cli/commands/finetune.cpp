// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/save_model.hpp>

#include "adapter.hpp"
#include "commands.hpp"
#include "examples.hpp"
#include "io/output.hpp"
#include "io/paths.hpp"
#include "io/standard_streams.hpp"
#include "options/options_json.hpp"
#include "run/evaluation.hpp"
#include "run/finetune_run.hpp"
#include "run/interrupt.hpp"
#include "run/replay_weights.hpp"
#include "run/run_directory.hpp"
#include "run/run_lock.hpp"
#include "run/save.hpp"
#include "run/summary.hpp"

namespace zeroth::cli {
namespace {

/// The options with the defaults that depend on others filled in.
FinetuneOptions resolved(FinetuneOptions options) {
  static_cast<MethodOptions&>(options) = resolved(static_cast<MethodOptions const&>(options));
  MethodDefaults const defaults = defaults_of(options.method);
  if (!options.learning_rate) {
    double const factor = options.tunes_adapter() || options.delta ? adapter_rate_factor : 1;
    options.learning_rate = default_learning_rate(options) * (options.tune_scales ? scales_rate_factor : factor);
  }
  if (!options.epsilon) options.epsilon = options.tune_scales ? default_scales_epsilon : default_epsilon;
  if (!options.save && !options.tunes_adapter() && !options.random_model)
    options.save = options.tune_scales ? SaveFormat::gguf : SaveFormat::safetensors;
  if (!options.steps) options.steps = defaults.steps;
  if (options.threads == 0) options.threads = ThreadPool::default_threads();
  // An evaluation takes as long as some dozen steps.
  constexpr std::uint64_t least_between_evaluations = 100;
  if (!options.evaluate_every) options.evaluate_every = std::max(*options.steps / 10, least_between_evaluations);
  return options;
}

/// The options of a run that is resumed: those it began with, except for what may have been moved since.
FinetuneOptions resumed(FinetuneOptions const& given) {
  FinetuneOptions options = read_options(given.resume / "options.json");
  options.out = given.resume;
  options.resume = given.resume;
  if (!given.model.empty()) options.model = given.model;
  if (!given.data.empty()) options.data = given.data;
  if (!given.adapter.empty()) options.adapter = given.adapter;
  if (given.no_mmap) options.no_mmap = true;
  if (given.threads != 0 && options.cuda_device)
    throw InvalidArgument("--threads: expected none, as the run in " + given.resume.string() + " uses --device cuda");
  if (given.threads != 0) options.threads = given.threads;
  return options;
}

/// Whether the run in the folder is finished.
bool is_finished(RunDirectory const& out) {
  if (!path_exists(out.summary())) return false;
  return !model::JsonValue::load(out.summary().string()).get<bool>("interrupted");
}

RunExamples encode_task(Task const& task, TaskData& data, FinetuneOptions const& options, LanguageModel const& model) {
  std::string demonstrations = take_demonstrations(task, data, options.shots, options.seed);
  TrainingChoice const chosen =
      choose_training_examples(data, options.train_examples, options.validation_examples, options.seed);
  if (chosen.train.empty())
    throw InvalidFile(options.data.string() + ": expected at least one training example that is not held out" +
                      (options.shots > 0 ? " or shown" : "") + ", found none");
  EncodingRules const rules = encoding_rules(task, data, std::move(demonstrations), *options.max_tokens);
  RunExamples examples;
  examples.train = encode(chosen.train, rules, model.tokenizer);
  if (!chosen.validation.empty()) examples.validation = encode(chosen.validation, rules, model.tokenizer);
  examples.held_out = encode(choose_held_out_examples(data, options.evaluation_examples), rules, model.tokenizer);
  return examples;
}

/// "10 training, 5 validation and 3 held-out examples".
std::string counts_of(RunExamples const& examples) {
  std::string const validation = examples.validation.examples.empty()
                                     ? ""
                                     : ", " + std::to_string(examples.validation.examples.size()) + " validation";
  return std::to_string(examples.train.examples.size()) + " training" + validation + " and " +
         std::to_string(examples.held_out.examples.size()) + " held-out examples";
}

/// Turns the model into that of an earlier step: replays the journal on the base weights, which are read again, so that
/// there is never a second model in memory.
void go_back(LanguageModel& model, std::uint64_t step, FinetuneOptions& options, std::string const& journal) {
  model.load_again(options);
  make_adapter(model, options);
  ThreadPool executor(options.threads);
  replay_weights(read_journal(journal), model.tuned(), {.until = step, .source = journal}, executor, model.gpu.get());
}

/// Saves what was tuned, unless nothing is to be saved.
void save(LanguageModel& model, FinetuneOptions const& options, RunDirectory const& out) {
  out.require_held();
  if (model.adapter)
    save_adapter(model, out.adapter());
  else if (options.save)
    save_model(model, out.model(), *options.save);
}

}  // namespace

int run(FinetuneOptions const& given) {
  bool const resumes = !given.resume.empty();
  // A run must not end because nobody reads its progress any more.
  outlive_readers();
  if (!resumes) (void)find_task(given.task);
  std::filesystem::path const& folder = resumes ? given.resume : given.out;
  for (char const* name : {"options.json", "journal", "metrics.jsonl", "summary.json", RunLock::file_name})
    check_not_standard_stream(folder / name);
  // Locked before anything in it is read, which includes the options of a run that is resumed.
  RunDirectory const out(folder, resumes           ? EarlierRun::resume
                                 : given.overwrite ? EarlierRun::replace
                                                   : EarlierRun::reject);
  FinetuneOptions options = resumes ? resumed(given) : resolved(given);
  Task const task = find_task(options.task);
  if (resumes && is_finished(out)) {
    tell(options.out.string() + ": the run is finished");
    return 0;
  }
  out.require_not_written("--model", options.model);
  out.require_not_written("--adapter", options.adapter);
  out.require_not_written("--data", options.data);
  if (options.task.ends_with(".json")) out.require_not_written("--task", options.task);
  TaskData data = load_task(task, options.data);
  std::optional<LanguageModel> model(std::in_place, options);
  make_adapter(*model, options);
  options.max_tokens = longest_sequence(options, *model);
  RunExamples const examples = encode_task(task, data, options, *model);
  if (options.save) model::check_format(*model, *options.save, out.model());
  out.check_space((model->adapter ? model->beside_bytes() : 0) +
                  (options.save ? saved_bytes(*model, *options.save) : 0));

  catch_interrupts();
  Progress progress(*options.steps);
  if (!out.is_locked())
    progress.message(options.out.string() + ": the file system has no locks: a second run could write here too");
  // Whatever can be rejected is rejected before an earlier run's files are removed.
  std::optional<FinetuneRun> run(std::in_place, options, *model, task, examples, progress);
  std::string const options_text = text_of(options);
  if (!resumes) {
    out.begin();
    write_options(out.options(), options_text);
  }
  run->open(out);
  if (resumes) out.begin();
  progress.message("fine-tuning " + options.model.string() + " on " + options.task + " with " +
                   std::string(to_string(options.method)) + ": " + counts_of(examples) + ", " +
                   std::to_string(*options.steps) + " steps");
  if (model->tunes_beside()) progress.message(adapter_summary(*model));
  if (!data.split.empty()) progress.message(data.split);
  if (!run->evaluate_before()) {
    progress.message("interrupted before the first step: nothing to save");
    return interrupted_exit_code;
  }
  run->train();
  bool const saves_best = options.save_step == SaveStep::best;
  if (run->result().interrupted)
    progress.message("interrupted after step " + std::to_string(run->result().steps) + ": " +
                     (saves_best ? "evaluating and saving" : "saving and evaluating") +
                     " the model; a second Ctrl-C aborts");
  // Saved before it is evaluated: a second Ctrl-C then costs a number, not the model.
  if (!saves_best) save(*model, options, out);
  run->evaluate_after();
  run->finish();
  RunResult const result = run->result();
  run.reset();
  if (result.best)
    progress.message("best on the validation examples: step " + std::to_string(result.best->validation.step) + ", " +
                     summary_of(result.best->validation, task.metric));
  if (saves_best) {
    if (saved_step(options, result) != result.steps)
      go_back(*model, saved_step(options, result), options, out.journal().string());
    save(*model, options, out);
  }
  bool const adapted = model->adapter.has_value();
  if (adapted && options.save) {
    model->merge();
    out.require_held();
    model::save_model(*model, out.model(), *options.save);
  }
  out.require_held();
  write_summary(out.summary(), options, task, data.split, *model, examples, result);
  if (adapted || options.save)
    progress.message("saved in " + (adapted ? out.adapter() : out.model()).string() +
                     (adapted && options.save ? " and, merged, in " + out.model().string() : ""));
  print(summary_of(*result.before, evaluation_of_saved(options, result), task.metric) + "\n");
  return result.interrupted ? interrupted_exit_code : 0;
}

}  // namespace zeroth::cli
