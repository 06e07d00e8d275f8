// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/adapter/float_parameters.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The scales of the blocks of quantised weights as parameters (QZO: Shang et al. 2025, arXiv 2505.13430): quants and
/// minima stay as they are stored, and a weight becomes scale * quant + minimum with a scale that is tuned. Of the K
/// types it is the unit of a block's scales.
///
/// Those of a tensor called NAME are the parameter NAME.scales, an f32 matrix with a row for each of its rows and a
/// column for each block, with the noise stream of that name.
///
/// The scales are this object's, in memory that stays in place when it is moved. The quants are the weights'.
class BlockScales {
 public:
  /// The scales as they are stored.
  /// @param base weights held as stored; they must outlive this object
  /// @param targets globs over the names of quantised tensors
  /// @throws InvalidArgument if no tensor is held as quants, or a glob matches none
  explicit BlockScales(DecoderWeights const& base, std::span<std::string const> targets = all())
      : tensors_(base.weight_tensors().begin(), base.weight_tensors().end()),
        parameters_(specs_of(base, targets, tensors_)) {
    for (WeightTensor& tensor : tensors_) {
      if (tensor.tuned != Tuned::scales) continue;
      std::span<float> const scales = parameters_.values(tensor.parameter);
      TensorTypeTraits const traits = *find_tensor_type(tensor.type);
      auto const* const blocks = static_cast<std::byte const*>(tensor.data);
      for (std::size_t i = 0; i < scales.size(); ++i)
        scales[i] = detail::load_scale(traits, blocks + i * traits.block_bytes);
      tensor.theta = scales.data();
    }
  }

  /// The scales, to tune.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_.set(); }

  /// The decoder's tensors, as they are with these scales.
  [[nodiscard]] std::span<WeightTensor const> weight_tensors() const noexcept { return tensors_; }

  /// The scales of a parameter, block by block.
  [[nodiscard]] std::span<float> values(std::size_t parameter) noexcept { return parameters_.values(parameter); }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const noexcept {
    return parameters_.values(parameter);
  }

 private:
  static std::span<std::string const> all() {
    static std::string const every[] = {"*"};
    return every;
  }

  /// What to tune of the tensors, which learn their parameters.
  static std::vector<TensorSpec> specs_of(DecoderWeights const& base, std::span<std::string const> targets,
                                          std::vector<WeightTensor>& tensors) {
    auto const is_quantized = [](WeightTensor const& t) { return find_tensor_type(t.type)->is_quantized(); };
    if (!base.is_stored() || std::none_of(tensors.begin(), tensors.end(), is_quantized))
      throw InvalidArgument("block scales: expected quantised weights held as stored, found none");
    for (std::string const& glob : targets)
      if (std::none_of(tensors.begin(), tensors.end(),
                       [&](WeightTensor const& t) { return is_quantized(t) && glob_match(glob, t.name); }))
        throw InvalidArgument("block scales: target '" + glob + "': expected a glob that matches a quantised tensor, " +
                              "found one that matches none");
    std::vector<TensorSpec> specs;
    for (WeightTensor& t : tensors) {
      if (!is_quantized(t) ||
          std::none_of(targets.begin(), targets.end(), [&](std::string const& g) { return glob_match(g, t.name); }))
        continue;
      t.tuned = Tuned::scales;
      t.parameter = specs.size();
      specs.push_back({t.name + ".scales", Role::matrix, {t.shape.rows, t.row_blocks()}});
    }
    return specs;
  }

  std::vector<WeightTensor> tensors_;
  FloatParameters parameters_;
};

}  // namespace zeroth::ZEROTH_ISA::model
