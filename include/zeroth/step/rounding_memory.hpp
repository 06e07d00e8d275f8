// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/beside.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA {

/// What a way of rounding keeps beside 16-bit weights from one update to the next, nothing for those of f32. It lies
/// where the backend's passes reach it.
///
/// That is bytes_beside(rounding) for each weight of the tensors that were updated. Where the mask state says that it
/// is fixed, a weight that is inactive stays as it is, and so inactive: then only the weights that are active at the
/// first update have a place, and 9/64 bytes per weight say which those are (see BesideWeights).
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
    if (held.memory == nullptr) held = made(tensor, mask, mask_is_fixed, backend);
    pass.beside.data = held.memory.get();
    pass.beside.places = reinterpret_cast<std::uint64_t const*>(held.places.get());
    pass.beside.group_place = reinterpret_cast<std::uint64_t const*>(held.group_place.get());
    pass.beside.first_place = reinterpret_cast<std::uint16_t const*>(held.first_place.get());
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
    std::shared_ptr<std::byte> places;       // as BesideWeights has them; null: all weights have a place
    std::shared_ptr<std::byte> group_place;  // numbers of 64 bits
    std::shared_ptr<std::byte> first_place;  // numbers of 16 bits
    std::size_t bytes_of_places = 0;
  };

  /// What a tensor needs; all of it, or an exception and nothing.
  template <Backend B, class Rule>
  [[nodiscard]] Tensor made(Parameter const& tensor, TensorMask<Rule> const& mask, bool mask_is_fixed,
                            B const& backend) const {
    Tensor made;
    std::uint64_t places = tensor.size();
    if (mask_is_fixed && mask.coverage == Coverage::some) {
      Bitmap bitmap(tensor);
      backend.mask_bits(tensor, mask, bitmap.words());
      PlaceIndex const index(bitmap.words());
      made.places = keep(std::as_bytes(std::span(std::as_const(bitmap).words())), backend);
      made.group_place = keep(std::as_bytes(std::span(index.group_place)), backend);
      made.first_place = keep(std::as_bytes(std::span(index.first_place)), backend);
      made.bytes_of_places = bitmap.words().size() * sizeof(std::uint64_t) + index.bytes();
      places = index.end + 1;  // so that there is always something
    }
    made.bytes = static_cast<std::size_t>(places) * bytes_beside(rounding_);
    made.memory = allocate_for(backend, made.bytes);
    return made;
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

}  // namespace zeroth::ZEROTH_ISA
