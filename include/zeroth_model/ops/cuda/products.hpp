// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// out = alpha in W^T + beta out, for each product of a batch: in is rows x columns, W is outputs x columns, out is
/// rows x outputs.
///
/// Row-major; elements are counted in their own type. Sums are f32, whatever the types.
struct Product {
  std::uint64_t batch;
  std::uint64_t rows;
  std::uint64_t outputs;
  std::uint64_t columns;
  DataType dtype;  ///< of `in` and `weights`
  DataType out_dtype;
  void const* in;           ///< contiguous rows
  std::uint64_t in_stride;  ///< from one product of the batch to the next
  void const* weights;      ///< contiguous rows
  std::uint64_t weights_stride;
  void* out;
  std::uint64_t out_stride;
  std::uint64_t out_row;  ///< from one row of `out` to the next
  float alpha = 1;
  float beta = 0;

  bool operator==(Product const&) const = default;
};

/// Matrix products on a stream: cuBLAS's on a GPU (CublasProducts), a plain loop in the tests.
///
/// `run(product, what)` queues a product after all earlier work and allocates nothing. Errors name `what` it is for.
template <class T>
concept Products = requires(T const& products, Product const& product, std::string const& what) {
  products.run(product, what);
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda
