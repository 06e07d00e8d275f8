// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The matrices of linear layers that match one of the globs, in the order of the decoder's tensors.
/// @param what globs are called in messages: "lora target"
/// @throws InvalidArgument naming the glob, if there are none or one matches nothing.
[[nodiscard]] inline std::vector<std::size_t> matching_matrices(DecoderWeights const& base,
                                                                std::span<std::string const> globs,
                                                                std::string const& what) {
  std::span<WeightTensor const> const tensors = base.weight_tensors();
  std::vector<std::size_t> matrices;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].role == Role::matrix) matrices.push_back(i);
  auto matches = [&](std::string const& glob) {
    return [&](std::size_t i) { return glob_match(glob, tensors[i].name); };
  };
  for (std::string const& glob : globs)
    if (std::none_of(matrices.begin(), matrices.end(), matches(glob)))
      throw InvalidArgument(what + " '" + glob + "': expected a glob that matches a matrix of a linear layer, from '" +
                            tensors[matrices.front()].name + "' to '" + tensors[matrices.back()].name +
                            "', found one that matches none");
  if (globs.empty()) throw InvalidArgument(what + "s: expected at least one glob, found none");
  std::erase_if(matrices, [&](std::size_t i) {
    return std::none_of(globs.begin(), globs.end(), [&](std::string const& glob) { return matches(glob)(i); });
  });
  return matrices;
}

}  // namespace zeroth::ZEROTH_ISA::model
