// SPDX-License-Identifier: MIT
#include "save.hpp"

#include <string>

#include <zeroth_model/io/peft/export_peft.hpp>

namespace zeroth::cli {

void save_adapter(LanguageModel const& model, std::filesystem::path const& directory) {
  std::string base = model.base_model;
  if (base.empty() && model.source.folder() != nullptr)
    base = model.source.folder()->absolute_path.lexically_normal().string();
  model::save_peft(directory, *model.adapter, model.weights, base);
}

}  // namespace zeroth::cli
