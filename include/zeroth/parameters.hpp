// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

/// What a tensor is for. Mask policies and name filters may treat roles differently; the paper thresholds matrices.
enum class Role : std::uint8_t { matrix, vector, embedding, head };

[[nodiscard]] constexpr std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::matrix:
      return "matrix";
    case Role::vector:
      return "vector";
    case Role::embedding:
      return "embedding";
    case Role::head:
      return "head";
  }
  return "unknown";
}
inline constexpr std::uint8_t roles = 4;  ///< number of values

/// Rows and columns of a row-major tensor; a vector of n elements is {1, n}.
struct Shape {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;

  /// Number of elements, if has_size().
  [[nodiscard]] constexpr std::uint64_t size() const noexcept { return rows * columns; }
  /// Whether the number of elements fits 64 bits.
  [[nodiscard]] constexpr bool has_size() const noexcept {
    return columns == 0 || rows <= std::numeric_limits<std::uint64_t>::max() / columns;
  }
  bool operator==(Shape const&) const = default;
};

/// "576 x 192".
[[nodiscard]] inline std::string to_string(Shape const& shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.columns);
}

/// The default noise stream of a tensor: FNV-1a (32 bits) of its name, so that a tensor's noise depends neither on
/// which other tensors are tuned nor on their order.
[[nodiscard]] constexpr std::uint32_t stream_of(std::string_view name) noexcept {
  std::uint32_t hash = 2166136261U;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

/// The largest number of elements of a tensor, and the largest end of a slice: the counter of a random block has 48
/// bits for its place in the tensor (RandomSource), and a block yields at least one value. Beyond this, noise would
/// repeat.
inline constexpr std::uint64_t max_elements = max_blocks;

namespace detail {

/// Whether two ranges have an element in common.
[[nodiscard]] constexpr bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b,
                                     std::uint64_t b_size) noexcept {
  return a < b + b_size && b < a + a_size;
}

}  // namespace detail

/// One tensor to tune, or a slice of one. The caller owns the memory.
struct Parameter {
  std::string name{};
  Role role = Role::matrix;
  Shape shape{};
  DataType dtype = DataType::f32;
  void* data = nullptr;          ///< first element, at a multiple of its size; row-major and contiguous; not owned
  std::uint32_t stream = 0;      ///< noise stream; see stream_of
  std::uint64_t offset = 0;      ///< index of data[0] in the whole tensor, for a slice (shard) of a larger one
  std::vector<void*> mirrors{};  ///< other copies of the same values, not owned; see ParameterSet::add_mirror

  [[nodiscard]] std::uint64_t size() const noexcept { return shape.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return size() * size_of(dtype); }
};

/// The tensors to tune, over memory that the caller owns and keeps alive and in place.
///
/// Add a tied tensor once: the second use of its memory has no entry of its own, and a model refers to both uses by one
/// index. If an engine keeps a second copy of it, add the copy as a mirror. Elements, noise streams and names must not
/// overlap; `add` rejects overlaps.
class ParameterSet {
 public:
  /// Adds a tensor and returns its index.
  /// @throws InvalidArgument naming the tensor, if its name is empty or taken, its role or type is not an enumerator,
  ///   its shape is empty or too large, it ends beyond max_elements, its data is null, misaligned or too large for the
  ///   address space, its memory overlaps another's, or its range of the noise stream overlaps another's; and as
  ///   `add_mirror` for each of its mirrors.
  std::size_t add(Parameter parameter);

  /// Adds an f32 tensor whose stream follows from its name.
  /// @throws InvalidArgument also if `data.size()` is not `shape.size()`.
  std::size_t add(std::string name, Role role, Shape shape, std::span<float> data);

  /// Adds a tensor of any type whose stream follows from its name; `data` points to shape.size() elements.
  std::size_t add(std::string name, Role role, Shape shape, DataType dtype, void* data);

  /// Declares a second copy of a tensor's values, such as a tied head that an engine keeps apart from the embedding:
  /// as many elements of the same type, with the same bits. It is not tuned by itself. Whatever writes the tensor,
  /// perturbations included, then writes the copy; this costs a copy of the tensor per pass over it.
  /// @throws InvalidArgument if no tensor has that name, or the memory is null, misaligned or overlaps any tensor's
  void add_mirror(std::string_view name, void* data);

  [[nodiscard]] std::size_t size() const noexcept { return parameters_.size(); }
  [[nodiscard]] bool empty() const noexcept { return parameters_.empty(); }
  [[nodiscard]] Parameter const& operator[](std::size_t index) const noexcept { return parameters_[index]; }
  [[nodiscard]] auto begin() const noexcept { return parameters_.begin(); }
  [[nodiscard]] auto end() const noexcept { return parameters_.end(); }

  /// The tensor with that name; null if there is none.
  [[nodiscard]] Parameter const* find(std::string_view name) const noexcept;

  /// Index of the tensor with that name.
  /// @throws InvalidArgument if there is none.
  [[nodiscard]] std::size_t index_of(std::string_view name) const;

  /// Number of weights in all tensors.
  [[nodiscard]] std::uint64_t weights() const noexcept;

  /// Bytes of all tensors.
  [[nodiscard]] std::uint64_t bytes() const noexcept;

 private:
  /// Rejects memory that cannot hold the tensor, or is in use. @param whose "its", or "its mirror's"
  void check_memory(Parameter const& tensor, void const* data, char const* whose) const;

  std::vector<Parameter> parameters_;
};

inline std::size_t ParameterSet::add(Parameter parameter) {
  auto refuse = [&](std::string const& why) { throw InvalidArgument("parameter '" + parameter.name + "': " + why); };
  if (parameter.name.empty()) throw InvalidArgument("parameter " + std::to_string(size()) + ": its name is empty");
  detail::require_choice(parameter.role, roles, "parameter '" + parameter.name + "': role");
  detail::require_choice(parameter.dtype, data_types, "parameter '" + parameter.name + "': dtype");
  std::string const shape = "shape " + to_string(parameter.shape);
  if (!parameter.shape.has_size()) refuse(shape + " must have fewer than 2^64 elements");
  if (parameter.size() == 0) refuse("its shape has no elements");
  if (parameter.size() > max_elements || parameter.offset > max_elements - parameter.size())
    refuse("must end at or before element 2^48 of its tensor, where its noise would repeat, got " + shape +
           " at offset " + std::to_string(parameter.offset));
  if (find(parameter.name) != nullptr) refuse("another parameter already has this name");
  check_memory(parameter, parameter.data, "its");
  for (Parameter const& other : parameters_)
    if (other.stream == parameter.stream &&
        detail::overlap(parameter.offset, parameter.size(), other.offset, other.size()))
      refuse("its noise stream " + std::to_string(parameter.stream) + " overlaps that of '" + other.name +
             "'; give one of them another stream");
  std::vector<void*> const mirrors = std::exchange(parameter.mirrors, {});
  parameters_.push_back(std::move(parameter));
  try {
    for (void* mirror : mirrors) add_mirror(parameters_.back().name, mirror);
  } catch (...) {
    parameters_.pop_back();
    throw;
  }
  return parameters_.size() - 1;
}

inline void ParameterSet::add_mirror(std::string_view name, void* data) {
  Parameter& tensor = parameters_[index_of(name)];
  check_memory(tensor, data, "its mirror's");
  tensor.mirrors.push_back(data);
}

inline void ParameterSet::check_memory(Parameter const& tensor, void const* data, char const* whose) const {
  auto const refuse = [&](std::string const& why) { throw InvalidArgument("parameter '" + tensor.name + "': " + why); };
  std::string const owner(whose);
  if (data == nullptr) refuse(owner + " data pointer is null");
  auto const first_byte = reinterpret_cast<std::uintptr_t>(data);
  if (first_byte % size_of(tensor.dtype) != 0)
    refuse(owner + " data must be at a multiple of " + std::to_string(size_of(tensor.dtype)) + " bytes, as " +
           std::string(to_string(tensor.dtype)) + " needs, got address " + hexadecimal(first_byte));
  if (tensor.bytes() > std::numeric_limits<std::uintptr_t>::max() - first_byte)
    refuse("shape " + to_string(tensor.shape) + " of " + std::string(to_string(tensor.dtype)) + " from address " +
           hexadecimal(first_byte) + " on is beyond the end of the address space");
  for (Parameter const& other : parameters_) {
    auto const require_apart = [&](void const* used) {
      if (detail::overlap(first_byte, tensor.bytes(), reinterpret_cast<std::uintptr_t>(used), other.bytes()))
        refuse(owner + " memory overlaps that of '" + other.name + "'; add a tied tensor once");
    };
    require_apart(other.data);
    for (void const* mirror : other.mirrors) require_apart(mirror);
  }
}

inline std::size_t ParameterSet::add(std::string name, Role role, Shape shape, std::span<float> data) {
  if (data.size() != shape.size())
    throw InvalidArgument("parameter '" + name + "': shape " + to_string(shape) + " needs " +
                          std::to_string(shape.size()) + " elements, got " + std::to_string(data.size()));
  return add(std::move(name), role, shape, DataType::f32, data.data());
}

inline std::size_t ParameterSet::add(std::string name, Role role, Shape shape, DataType dtype, void* data) {
  std::uint32_t const stream = stream_of(name);
  return add(Parameter{std::move(name), role, shape, dtype, data, stream, 0});
}

inline Parameter const* ParameterSet::find(std::string_view name) const noexcept {
  for (Parameter const& p : parameters_)
    if (p.name == name) return &p;
  return nullptr;
}

inline std::size_t ParameterSet::index_of(std::string_view name) const {
  if (Parameter const* const found = find(name)) return static_cast<std::size_t>(found - parameters_.data());
  throw InvalidArgument("no parameter is named '" + std::string(name) + "'");
}

inline std::uint64_t ParameterSet::weights() const noexcept {
  std::uint64_t total = 0;
  for (Parameter const& p : parameters_) total += p.size();
  return total;
}

inline std::uint64_t ParameterSet::bytes() const noexcept {
  std::uint64_t total = 0;
  for (Parameter const& p : parameters_) total += p.bytes();
  return total;
}

}  // namespace zeroth::ZEROTH_ISA
