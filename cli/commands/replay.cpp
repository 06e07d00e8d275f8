// SPDX-License-Identifier: MIT
#include <filesystem>
#include <memory>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth_model/save_model.hpp>

#include "adapter.hpp"
#include "commands.hpp"
#include "io/output.hpp"
#include "io/standard_streams.hpp"
#include "options/options_json.hpp"
#include "run/any_optimizer.hpp"
#include "run/language_model.hpp"
#include "run/run_directory.hpp"
#include "run/run_log.hpp"
#include "run/save.hpp"

namespace zeroth::cli {

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
  FinetuneOptions options = options_of(journal.header(), source);
  options.model = given.model;
  options.adapter = given.adapter;
  options.cuda_device = given.cuda_device;
  OpenMpExecutor executor{given.threads};
  options.threads = executor.concurrency();
  if (bool const wants_adapter = continues_adapter(journal.header()); wants_adapter == given.adapter.empty())
    throw InvalidArgument(wants_adapter ? "--adapter: expected the adapter that the run of " + source + " began with"
                                        : "--adapter: expected none, as the run of " + source + " began with none");

  LanguageModel model(options, options.dtype, options.cuda_device);
  model.source.keep_files();
  make_adapter(model, options);
  std::unique_ptr<AnyOptimizer> const optimizer = make_optimizer(options, model.tuned(), executor, model.gpu.get());
  optimizer->replay(journal, {.until = given.until, .notes = {form_note(model)}, .source = source});
  if (model.adapter)
    save_adapter(model, output);
  else
    model::save_model(model, output, given.save);
  tell(std::to_string(optimizer->steps()) + " of the " + std::to_string(journal.steps()) + " steps of " + source +
       " replayed");
  print_name(given.output);
  return 0;
}

}  // namespace zeroth::cli
