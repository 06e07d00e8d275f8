// SPDX-License-Identifier: MIT
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth_model/save_model.hpp>

#include "adapter.hpp"
#include "commands.hpp"
#include "io/output.hpp"
#include "io/standard_streams.hpp"
#include "options/options_json.hpp"
#include "run/language_model.hpp"
#include "run/recorded_tensors.hpp"
#include "run/replay_weights.hpp"
#include "run/run_directory.hpp"
#include "run/run_log.hpp"
#include "run/save.hpp"

namespace zeroth::cli {
namespace {

/// Rejects a model whose rows lie in another order than those of the run.
void require_form(JournalHeader const& header, std::string const& journal, model::ModelSource const& source) {
  std::string const name = form_note(source).name;
  std::string const form = note_of(header, journal, name);
  if (form != "GGUF" && form != "safetensors")
    throw InvalidFile(journal + ": note '" + name + "': expected GGUF or safetensors, found " + form);
  if (form != source.format())
    throw InvalidArgument("--model: expected a model in " + form + ", as the run of " + journal +
                          " began with, found " + source.format() + " in " + source.path());
}

/// The model that the run of a journal began with, and its adapter if that is what the run tuned.
LanguageModel base_of(JournalHeader const& header, std::string const& journal, ReplayModelOptions const& given) {
  model::ModelSource const source(given.model);
  std::optional<FinetuneOptions> const recorded = options_of(header, journal);
  FinetuneOptions options = recorded.value_or(FinetuneOptions{});
  options.model = given.model;
  options.adapter = given.adapter;
  if (recorded) {
    require_form(header, journal, source);
    bool const wants_adapter = continues_adapter(header, journal);
    if (wants_adapter == given.adapter.empty())
      throw InvalidArgument(wants_adapter ? "--adapter: expected the adapter that the run of " + journal + " began with"
                                          : "--adapter: expected none, as the run of " + journal + " began with none");
  } else if (given.adapter.empty()) {
    options.dtype = type_of_matrices(header, source);
  }
  bool const as_stored = options.only_reads_weights() && options.dtype == DataType::f32 && !given.cuda_device;
  LanguageModel model(options, options.dtype, given.cuda_device, as_stored);
  model.source.keep_files();
  make_adapter(model, options);
  return model;
}

/// What to do about another base, if it may be the run's in another form.
std::string other_form_of(LanguageModel const& model) {
  model::Family const& family = model.weights.config().family();
  if (model.tunes_beside() || (family.gguf_pairing == model::RotaryPairing::halves && !family.gains_less_one))
    return "";
  return std::string("; ") + (family.gains_less_one ? "gains differ" : "rows of Q and K are in another order") +
         " in GGUF than in safetensors: give the model in the form that the run had";
}

}  // namespace

int run(ReplayModelOptions const& given) {
  std::filesystem::path const output = check_saveable(given.output, SavedAs::folder, given.overwrite);
  auto const lock = lock_run_of(output);
  std::string const source = given.journal.string();
  RecoveredJournal const recovered = recover_journal(source);
  Journal const& journal = recovered.journal;
  if (recovered.is_damaged()) {
    // Its last good step is not the run's last step: the user must ask for it.
    std::string const steps = std::to_string(journal.steps());
    if (given.until.value_or(journal.steps() + 1) > journal.steps())
      throw InvalidFile(source + ": " + recovered.damage() + "; --until " + steps +
                        " replays the steps before, and zeroth journal --repair cuts off the rest");
    tell("zeroth: warning: " + source + ": " + recovered.damage() + "; the " + steps + " steps before are intact");
  }
  LanguageModel model = base_of(journal.header(), source, given);
  RecordedTensors tensors(model, journal.header(), source);
  ThreadPool executor{given.threads};
  std::uint64_t const steps = given.until.value_or(journal.steps());
  try {
    replay_weights(journal, tensors.parameters(), {.until = steps, .source = source}, executor, model.gpu.get());
  } catch (OtherBase const& error) {
    throw InvalidFile(error.what() + (" in " + model.source.path()) + other_form_of(model));
  }
  tensors.write_back();
  if (model.adapter)
    save_adapter(model, output);
  else
    save_model(model, output, given.save);
  tell(std::to_string(steps) + " of the " + std::to_string(journal.steps()) + " steps of " + source + " replayed");
  print_name(given.output);
  return 0;
}

}  // namespace zeroth::cli
