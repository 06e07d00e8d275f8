// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/storage/remainder.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA {

/// Keeps the remainders of 16-bit weights from one update to the next; nothing for f32 weights.
///
/// Takes remainder_bytes(rounding) for each weight of an updated tensor. If the mask state says that it is fixed, an
/// inactive weight keeps its bits and stays inactive: then only the weights active at the first update have a place,
/// and 9/64 bytes per weight say which those are (see Remainders).
class RemainderMemory {
 public:
  RemainderMemory(ParameterSet const& parameters, Rounding rounding)
      : rounding_(rounding), tensors_(parameters.size()) {}

  /// Returns the pass as an update of that tensor: with the rounding and the tensor's remainders.
  /// @param tensor with unperturbed weights
  /// @param mask of the tensor at this step
  template <Backend B, class Rule>
  [[nodiscard]] ElementwisePass update(ElementwisePass pass, std::size_t index, Parameter const& tensor,
                                       TensorMask<Rule> const& mask, bool mask_is_fixed, B const& backend) {
    if (tensor.dtype == DataType::f32) return pass;
    pass.rounding = rounding_;
    if (remainder_bytes(rounding_) == 0) return pass;
    Tensor& held = tensors_[index];
    if (held.values.empty()) held = made(tensor, mask, mask_is_fixed, backend);
    pass.remainders.data = held.values.template as<std::byte>();
    pass.remainders.places = held.places.template as<std::uint64_t const>();
    pass.remainders.group_place = held.group_place.template as<std::uint64_t const>();
    pass.remainders.first_place = held.first_place.template as<std::uint16_t const>();
    return pass;
  }

  /// The remainders of a tensor, in the backend's memory; none before its first update.
  [[nodiscard]] BackendBuffer const& of(std::size_t index) const noexcept { return tensors_[index].values; }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (Tensor const& held : tensors_)
      for (BackendBuffer const* buffer : {&held.values, &held.places, &held.group_place, &held.first_place})
        total += buffer->bytes();
    return total;
  }

 private:
  struct Tensor {
    BackendBuffer values;
    BackendBuffer places;       // see Remainders; empty: all weights have a place
    BackendBuffer group_place;  // 64-bit numbers
    BackendBuffer first_place;  // 16-bit numbers
  };

  /// Allocates what a tensor needs: everything, or nothing and an exception.
  template <Backend B, class Rule>
  [[nodiscard]] Tensor made(Parameter const& tensor, TensorMask<Rule> const& mask, bool mask_is_fixed,
                            B const& backend) const {
    Tensor made;
    std::uint64_t places = tensor.size();
    if (mask_is_fixed && mask.coverage == Coverage::some) {
      Bitmap bitmap(tensor);
      backend.mask_bits(tensor, mask, bitmap.words());
      PlaceIndex const index(bitmap.words());
      made.places = {backend, std::as_bytes(std::span(std::as_const(bitmap).words()))};
      made.group_place = {backend, std::as_bytes(std::span(index.group_place))};
      made.first_place = {backend, std::as_bytes(std::span(index.first_place))};
      places = index.end + 1;  // never empty
    }
    made.values = {backend, static_cast<std::size_t>(places) * remainder_bytes(rounding_)};
    return made;
  }

  Rounding rounding_;
  std::vector<Tensor> tensors_;
};

}  // namespace zeroth::ZEROTH_ISA
