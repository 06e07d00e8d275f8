// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/io/hugging_face/load_hugging_face.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/peft/peft_config.hpp>
#include <zeroth_model/io/peft/peft_modules.hpp>
#include <zeroth_model/io/safetensors/safetensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// An adapter in the form in which PEFT saved it.
struct PeftAdapter {
  PeftConfig config;
  LoraAdapter adapter;
};

namespace detail {

/// Finds A and B of the modules in the file; throws as load_peft() does.
class PeftTensors {
 public:
  PeftTensors(SafetensorsFile const& file, JsonValue const& json, PeftConfig const& config, DecoderWeights const& base)
      : file_(file), config_(config), base_(base) {
    std::unordered_set<std::string> known;
    for (PeftModule& module : peft_modules(base)) {
      bool const listed = config.targets && config.matches(module.name);
      bool const present = file.find_tensor(module.a_name()) != nullptr || file.find_tensor(module.b_name()) != nullptr;
      // PEFT would leave the tensors of such a module unused.
      if (present && config.targets && !listed)
        throw json.get("target_modules").mismatch("a name for '" + module.name + "', which has tensors");
      if (!present && !listed) continue;
      known.insert(module.a_name());
      known.insert(module.b_name());
      modules_.push_back(std::move(module));
    }
    for (SafetensorsTensor const& tensor : file.tensors())
      if (!known.contains(tensor.name))
        throw InvalidFile(file.path() + ": tensor '" + printable(tensor.name) +
                          "': expected A or B of a linear layer of this decoder (" + base.config().architecture + ", " +
                          std::to_string(base.config().layers) + " layers)");
    if (modules_.empty()) throw InvalidFile(file.path() + ": expected at least one adapted linear layer, found none");
    for (PeftModule const& module : modules_) {
      Shape const shape = base.weight_tensors()[module.weight].shape;
      check(file.tensor(module.a_name()), {config.rank, shape.columns}, /*rank_at=*/0);
      check(file.tensor(module.b_name()), {shape.rows, config.rank}, /*rank_at=*/1);
    }
  }

  [[nodiscard]] LoraAdapter read() const {
    std::vector<std::size_t> weights;
    for (PeftModule const& module : modules_) weights.push_back(module.weight);
    LoraAdapter adapter(base_, config_.rank, config_.alpha, weights);
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      LoraPair const& pair = adapter.pairs()[i];
      file_.read(file_.tensor(modules_[i].a_name()), adapter.values(pair.a));
      std::span<float> const b = adapter.values(pair.b);
      std::vector<float> rows(b.size());
      file_.read(file_.tensor(modules_[i].b_name()), rows);
      for (std::size_t row = 0; row < rows.size() / config_.rank; ++row)
        std::copy_n(rows.data() + row * config_.rank, config_.rank,
                    b.data() + stored_row(modules_[i], row, base_.config()) * config_.rank);
    }
    return adapter;
  }

 private:
  void check(SafetensorsTensor const& tensor, std::array<std::uint64_t, 2> expected, std::size_t rank_at) const {
    auto refuse = [&](std::string const& what) {
      throw InvalidFile(file_.path() + ": tensor '" + tensor.name + "': expected " + what);
    };
    if (!std::equal(tensor.shape.begin(), tensor.shape.end(), expected.begin(), expected.end())) {
      bool const other_rank = tensor.shape.size() == 2 && tensor.shape[1 - rank_at] == expected[1 - rank_at];
      refuse(sizes_text(expected) + (other_rank ? ", for the rank r in adapter_config.json" : "") + ", found " +
             sizes_text(tensor.shape));
    }
    if (tensor.dtype != "F32" && tensor.dtype != "F16" && tensor.dtype != "BF16")
      refuse("F32, F16 or BF16, found " + tensor.dtype);
  }

  SafetensorsFile const& file_;
  PeftConfig const& config_;
  DecoderWeights const& base_;
  std::vector<PeftModule> modules_;
};

}  // namespace detail

/// The files of an adapter as saved by Hugging Face PEFT: adapter_config.json and adapter_model.safetensors. The latter
/// is mapped, so it can be read again even if the folder is removed.
struct PeftFolder {
  JsonValue config;
  SafetensorsFile weights;

  /// @throws InvalidFile if one of the files cannot be opened.
  explicit PeftFolder(std::filesystem::path const& folder)
      : config(JsonValue::load((folder / "adapter_config.json").string())),
        weights((folder / "adapter_model.safetensors").string()) {}
};

/// Loads a LoRA adapter of `base`, F32, F16 or BF16. `base` may come from GGUF: rows of B are put in the order of its
/// rows.
///
/// @throws InvalidFile as read_peft_config() does, and naming file and tensor or key, if a tensor of a target is
///   missing or has another shape or type, if a tensor belongs to no linear layer of the decoder, or if target_modules
///   omit a layer that has tensors.
[[nodiscard]] inline PeftAdapter load_peft(PeftFolder const& folder, DecoderWeights const& base) {
  PeftConfig config = read_peft_config(folder.config);
  LoraAdapter adapter = detail::PeftTensors(folder.weights, folder.config, config, base).read();
  return {std::move(config), std::move(adapter)};
}

/// As above, from the folder's path.
/// @throws InvalidFile as above and as PeftFolder does
[[nodiscard]] inline PeftAdapter load_peft(std::filesystem::path const& folder, DecoderWeights const& base) {
  return load_peft(PeftFolder(folder), base);
}

}  // namespace zeroth::ZEROTH_ISA::model
