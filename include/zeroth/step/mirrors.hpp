// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/error.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// Makes the mirrors of a tensor equal to it. Whatever writes a tensor must call it afterwards.
template <Backend B>
void write_mirrors(Parameter const& tensor, [[maybe_unused]] B const& backend) {
  for (void* mirror : tensor.mirrors) {
    if constexpr (BackendWithMemory<B>)
      backend.transfer(mirror, tensor.data, static_cast<std::size_t>(tensor.bytes()));
    else
      std::memcpy(mirror, tensor.data, static_cast<std::size_t>(tensor.bytes()));
  }
}

/// @throws InvalidArgument naming the tensor, if one of its mirrors has other bits
template <Backend B>
void check_mirrors(Parameter const& tensor, B const& backend) {
  if (tensor.mirrors.empty()) return;
  auto const bytes_at = [&](void* data) {
    Parameter at = tensor;
    at.data = data;
    std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.bytes()));
    backend.copy(at, bytes);
    return bytes;
  };
  std::vector<std::byte> const expected = bytes_at(tensor.data);
  for (void* mirror : tensor.mirrors) {
    std::vector<std::byte> const found = bytes_at(mirror);
    auto const difference = std::mismatch(expected.begin(), expected.end(), found.begin());
    if (difference.first == expected.end()) continue;
    auto const byte = static_cast<std::size_t>(difference.first - expected.begin());
    throw InvalidArgument("parameter '" + tensor.name + "': expected a mirror with the same values, found another at " +
                          "element " + std::to_string(byte / size_of(tensor.dtype)) +
                          ": copy the tensor to its mirror, or do not add it as one");
  }
}

}  // namespace zeroth::ZEROTH_ISA::detail
