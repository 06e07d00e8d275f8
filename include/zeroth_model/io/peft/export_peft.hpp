// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/peft/peft_config.hpp>
#include <zeroth_model/io/peft/peft_modules.hpp>
#include <zeroth_model/io/safetensors/safetensors_writer.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// The shortest target_modules that select exactly the adapted modules: "q_proj" if it is adapted in every layer,
/// otherwise full names.
inline std::vector<std::string> peft_targets(LoraAdapter const& adapter, DecoderWeights const& weights) {
  std::vector<PeftModule> const modules = peft_modules(weights);
  std::vector<std::string> targets;
  for (PeftModule const& module : modules) {
    if (adapter.find(module.weight) == nullptr) continue;
    bool const everywhere = std::all_of(modules.begin(), modules.end(), [&](PeftModule const& other) {
      return other.kind() != module.kind() || adapter.find(other.weight) != nullptr;
    });
    std::string const target = everywhere ? std::string(module.kind()) : module.name;
    if (std::find(targets.begin(), targets.end(), target) == targets.end()) targets.push_back(target);
  }
  return targets;
}

}  // namespace detail

/// Writes an adapter of `base` as a folder that Hugging Face PEFT loads onto the same model in Hugging Face's format:
/// adapter_config.json and adapter_model.safetensors (F32), rows of B in Hugging Face's order. The folder appears
/// complete or not at all.
///
/// @param base_model value of base_model_name_or_path; empty: null
/// @throws InvalidFile if it cannot be written, or if the folder exists and holds more than files; InvalidArgument if
///   the adapter does not belong to that decoder.
inline void save_peft(std::filesystem::path const& folder, LoraAdapter const& adapter, DecoderWeights const& base,
                      std::string const& base_model = {}) {
  adapter.check(base);
  AtomicDirectory directory(folder);
  PeftConfig const config{adapter.rank(), adapter.alpha(), detail::peft_targets(adapter, base), base_model};
  AtomicFile file(directory.file("adapter_config.json"));
  file.write(peft_config_json(config).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  file.commit();

  SafetensorsWriter writer(directory.file("adapter_model.safetensors"));
  std::size_t const rank = adapter.rank();
  std::vector<PeftModule> modules = peft_modules(base);
  std::erase_if(modules, [&](PeftModule const& module) { return adapter.find(module.weight) == nullptr; });
  for (PeftModule const& module : modules) {
    Shape const shape = base.weight_tensors()[module.weight].shape;
    writer.add_tensor(module.a_name(), std::array<std::uint64_t, 2>{rank, shape.columns});
    writer.add_tensor(module.b_name(), std::array<std::uint64_t, 2>{shape.rows, rank});
  }
  for (PeftModule const& module : modules) {
    LoraPair const& pair = *adapter.find(module.weight);
    writer.write(module.a_name(), adapter.values(pair.a));
    std::span<float const> const b = adapter.values(pair.b);
    for (std::size_t row = 0; row < b.size() / rank; ++row)
      writer.write(module.b_name(), b.subspan(stored_row(module, row, base.config()) * rank, rank));
  }
  writer.commit();
  directory.commit();
}

}  // namespace zeroth::ZEROTH_ISA::model
