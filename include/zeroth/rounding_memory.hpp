// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth {

/// What a way of rounding keeps beside 16-bit weights from one update to the next, nothing for those of f32.
///
/// That is bytes_beside(rounding) for each weight of the tensors that were updated. Where the mask state says that it
/// is fixed, a weight that is inactive stays as it is, and so inactive: then only the weights that are active at the
/// first update have a place, and a bit a weight and 4 bytes a tile of 128 say which those are.
class RoundingMemory {
 public:
  RoundingMemory(ParameterSet const& parameters, Rounding rounding)
      : rounding_(rounding), tensors_(parameters.size()) {}

  /// The pass as an update of that tensor: with the rounding, and the tensor's memory beside.
  /// @param mask of the tensor at this step
  template <Backend B, class Rule>
  [[nodiscard]] ElementwisePass update(ElementwisePass pass, std::size_t index, Parameter const& tensor,
                                       TensorMask<Rule> const& mask, bool mask_is_fixed, B const& backend) {
    if (tensor.dtype == DataType::f32) return pass;
    pass.rounding = rounding_;
    if (bytes_beside(rounding_) == 0) return pass;
    Tensor& held = tensors_[index];
    if (held.memory.empty()) {
      if (mask_is_fixed && mask.coverage == Coverage::some)
        make_places(held, tensor, mask, backend);
      else
        held.memory.resize(static_cast<std::size_t>(tensor.size()) * bytes_beside(rounding_));
    }
    pass.beside.data = held.memory.data();
    if (!held.first_place.empty()) {
      pass.beside.places = held.places.words().data();
      pass.beside.first_place = held.first_place.data();
    }
    return pass;
  }

  /// What is kept beside a tensor; nothing before its first update.
  [[nodiscard]] std::span<std::byte const> memory(std::size_t index) const noexcept { return tensors_[index].memory; }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (Tensor const& held : tensors_)
      total += held.memory.size() + held.places.words().size() * sizeof(std::uint64_t) +
               held.first_place.size() * sizeof(std::uint32_t);
    return total;
  }

 private:
  struct Tensor {
    std::vector<std::byte> memory;
    Bitmap places;
    std::vector<std::uint32_t> first_place;
  };

  template <Backend B, class Rule>
  void make_places(Tensor& held, Parameter const& tensor, TensorMask<Rule> const& mask, B const& backend) const {
    held.places = Bitmap(tensor);
    backend.mask_bits(tensor, mask, held.places.words());
    std::vector<std::uint64_t> const& words = held.places.words();
    std::uint32_t next = 0;
    for (std::size_t w = 0; w < words.size(); ++w) {
      if (w % 2 == 0) held.first_place.push_back(next);
      next += static_cast<std::uint32_t>(std::popcount(words[w]));
    }
    // Never empty, which stands for not made.
    held.memory.resize((std::size_t{next} + 1) * bytes_beside(rounding_));
  }

  Rounding rounding_;
  std::vector<Tensor> tensors_;
};

}  // namespace zeroth
