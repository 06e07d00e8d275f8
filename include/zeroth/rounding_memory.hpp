// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/memory.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth {

/// What a way of rounding keeps beside 16-bit weights from one update to the next, nothing for those of f32. It lies
/// where the backend's passes reach it.
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
    if (held.memory == nullptr) {
      std::uint64_t places = tensor.size();
      if (mask_is_fixed && mask.coverage == Coverage::some) places = make_places(held, tensor, mask, backend);
      held.bytes = static_cast<std::size_t>(places) * bytes_beside(rounding_);
      held.memory = allocate_for(backend, held.bytes);
    }
    pass.beside.data = held.memory.get();
    pass.beside.places = reinterpret_cast<std::uint64_t const*>(held.places.get());
    pass.beside.first_place = reinterpret_cast<std::uint32_t const*>(held.first_place.get());
    return pass;
  }

  /// What is kept beside a tensor, in the backend's memory; nothing before its first update.
  [[nodiscard]] std::span<std::byte const> memory(std::size_t index) const noexcept {
    return {tensors_[index].memory.get(), tensors_[index].bytes};
  }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (Tensor const& held : tensors_) total += held.bytes + held.bytes_of_places;
    return total;
  }

 private:
  struct Tensor {
    std::shared_ptr<std::byte> memory;
    std::size_t bytes = 0;
    std::shared_ptr<std::byte> places;       // words, as BesideWeights has them; null: all weights have a place
    std::shared_ptr<std::byte> first_place;  // numbers of 32 bits
    std::size_t bytes_of_places = 0;
  };

  template <Backend B, class Rule>
  [[nodiscard]] std::uint64_t make_places(Tensor& held, Parameter const& tensor, TensorMask<Rule> const& mask,
                                          B const& backend) const {
    Bitmap bitmap(tensor);
    backend.mask_bits(tensor, mask, bitmap.words());
    std::vector<std::uint64_t> const& words = bitmap.words();
    std::vector<std::uint32_t> first_place;
    std::uint32_t next = 0;
    for (std::size_t w = 0; w < words.size(); ++w) {
      if (w % 2 == 0) first_place.push_back(next);
      next += static_cast<std::uint32_t>(std::popcount(words[w]));
    }
    held.places = keep(std::as_bytes(std::span(words)), backend);
    held.first_place = keep(std::as_bytes(std::span(first_place)), backend);
    held.bytes_of_places = std::span(words).size_bytes() + std::span(first_place).size_bytes();
    return std::uint64_t{next} + 1;  // so that there is always something
  }

  /// A copy where the backend's passes reach it.
  template <Backend B>
  [[nodiscard]] static std::shared_ptr<std::byte> keep(std::span<std::byte const> values, B const& backend) {
    std::shared_ptr<std::byte> copy = allocate_for(backend, values.size());
    transfer_for(backend, copy.get(), values.data(), values.size());
    return copy;
  }

  Rounding rounding_;
  std::vector<Tensor> tensors_;
};

}  // namespace zeroth
