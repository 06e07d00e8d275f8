// SPDX-License-Identifier: MIT
#include <filesystem>

#include <zeroth_model/io/gguf/export_lora_gguf.hpp>
#include <zeroth_model/save_model.hpp>

#include "commands.hpp"
#include "io/output.hpp"
#include "io/standard_streams.hpp"
#include "run/language_model.hpp"
#include "run/run_directory.hpp"

namespace zeroth::cli {

int run(ExportOptions const& options) {
  std::filesystem::path const output = check_saveable(
      options.output, options.to == ExportFormat::safetensors ? SavedAs::folder : SavedAs::file, options.overwrite);
  auto const lock = lock_run_of(output);
  bool const writes_adapter = options.to == ExportFormat::gguf_lora;
  LanguageModel model(options, DataType::f32, {}, options.adapter.empty() || writes_adapter);
  if (writes_adapter) {
    model::save_lora_gguf(output, *model.adapter, model.weights);
    print_name(options.output);
    return 0;
  }
  model.source.keep_files();
  model.merge();
  if (options.to == ExportFormat::gguf)
    model::save_gguf_file(model, output, options.dtype);
  else
    model::save_model(model, output, SaveFormat::safetensors, options.dtype);
  print_name(options.output);
  return 0;
}

}  // namespace zeroth::cli
