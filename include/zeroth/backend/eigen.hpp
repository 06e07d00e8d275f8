// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <Eigen/Core>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/error.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::ZEROTH_ISA {

/// The CPU backend for use with Eigen: the same elementwise passes, and adapters between Eigen's types and parameters.
class EigenBackend : public CpuBackend {
 public:
  using CpuBackend::CpuBackend;

  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "eigen"; }

  /// A tensor's memory as a row-major matrix, [rows x columns].
  /// @throws InvalidArgument if the tensor is not f32
  [[nodiscard]] static Eigen::Map<Matrix> map(Parameter const& tensor) {
    if (tensor.dtype != DataType::f32)
      throw InvalidArgument("parameter '" + tensor.name + "': only f32 maps to an Eigen matrix, it is " +
                            std::string(to_string(tensor.dtype)));
    return {static_cast<float*>(tensor.data), static_cast<Eigen::Index>(tensor.shape.rows),
            static_cast<Eigen::Index>(tensor.shape.columns)};
  }

  /// Adds the memory of an Eigen vector or matrix without a copy; returns the index. A column-major matrix is added as
  /// its row-major transpose, which makes no difference to the optimizer: it treats all elements alike.
  /// @throws InvalidArgument if its coefficients are not contiguous, or as ParameterSet::add does
  template <class Derived>
  static std::size_t add(ParameterSet& parameters, std::string name, Eigen::DenseBase<Derived>& matrix) {
    auto& m = matrix.derived();
    static_assert(std::is_same_v<typename Derived::Scalar, float>, "only matrices of float can be tuned");
    if (m.innerStride() != 1 || (m.outerStride() != m.innerSize() && m.outerSize() > 1))
      throw InvalidArgument("parameter '" + name + "': its coefficients are not contiguous; tune a copy");
    bool const is_vector = m.rows() == 1 || m.cols() == 1;
    Shape const shape =
        is_vector ? Shape{1, static_cast<std::uint64_t>(m.size())}
                  : Shape{static_cast<std::uint64_t>(m.outerSize()), static_cast<std::uint64_t>(m.innerSize())};
    return parameters.add(std::move(name), is_vector ? Role::vector : Role::matrix, shape,
                          std::span<float>(m.data(), static_cast<std::size_t>(m.size())));
  }
};

}  // namespace zeroth::ZEROTH_ISA
