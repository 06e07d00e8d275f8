// SPDX-License-Identifier: MIT
#include <filesystem>

#include <zeroth_model/save_model.hpp>

#include "commands.hpp"
#include "io/output.hpp"
#include "io/standard_streams.hpp"
#include "run/language_model.hpp"
#include "run/run_directory.hpp"

namespace zeroth::cli {

int run(ExportOptions const& options) {
  std::filesystem::path const output = check_saveable(
      options.output, options.to == SaveFormat::gguf ? SavedAs::file : SavedAs::folder, options.overwrite);
  auto const lock = lock_run_of(output);
  LanguageModel model(options);
  model.source.keep_files();
  model.merge_adapter();
  if (options.to == SaveFormat::gguf)
    model::save_gguf_file(model, output, options.dtype);
  else
    model::save_model(model, output, options.to, options.dtype);
  print_name(options.output);
  return 0;
}

}  // namespace zeroth::cli
