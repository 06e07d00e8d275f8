// SPDX-License-Identifier: MIT
#include "save.hpp"

#include <string>

#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/gguf/export_scales.hpp>
#include <zeroth_model/io/peft/export_peft.hpp>
#include <zeroth_model/save_model.hpp>

namespace zeroth::cli {

void save_adapter(LanguageModel const& model, std::filesystem::path const& directory) {
  std::string base = model.base_model;
  if (base.empty() && model.source.folder() != nullptr)
    base = model.source.folder()->absolute_path.lexically_normal().string();
  model::save_peft(directory, *model.adapter, model.weights, base);
}

std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format) {
  if (model.scales && format == SaveFormat::gguf) return model.weights.bytes();
  return model::saved_bytes(model.weights, format);
}

void save_model(LanguageModel& model, std::filesystem::path const& directory, SaveFormat format) {
  if (model.scales && format == SaveFormat::gguf) {
    model::AtomicDirectory folder(directory);
    model::save_scales_gguf(folder.file("model.gguf"), *model.source.gguf(), *model.scales);
    return folder.commit();
  }
  model.merge();
  model::save_model(model, directory, format);
}

}  // namespace zeroth::cli
