// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>

#include <zeroth/error.hpp>

#include "commands.hpp"
#include "language_model.hpp"
#include "save.hpp"

namespace zeroth::cli {

int run(ExportOptions const& options) {
  if (std::filesystem::exists(options.output) && !options.overwrite)
    throw InvalidArgument("--output: " + options.output.string() + " exists; --overwrite replaces it");
  LanguageModel model(options);
  model.source.keep_files();
  model.merge_adapter();
  if (options.to == SaveFormat::gguf)
    save_gguf_file(model, options.dtype, options.output);
  else
    save_model(model, options.to, options.dtype, options.output);
  std::printf("%s\n", options.output.c_str());
  return 0;
}

}  // namespace zeroth::cli
