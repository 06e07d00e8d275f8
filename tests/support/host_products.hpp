// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth_model/ops/cuda/basic_ops.hpp>
#include <zeroth_model/ops/cuda/products.hpp>

#include "host_stream.hpp"

namespace zeroth_test {

/// The products of the CUDA transformer as plain loops on the host, instead of cuBLAS.
struct HostProducts {
  static void run(zeroth::model::cuda::Product const& p, std::string const& /*what*/) {
    using zeroth::model::cuda::load;
    using zeroth::model::cuda::store;
    for (std::uint64_t b = 0; b < p.batch; ++b) {
      for (std::uint64_t r = 0; r < p.rows; ++r) {
        for (std::uint64_t o = 0; o < p.outputs; ++o) {
          float sum = 0;
          for (std::uint64_t c = 0; c < p.columns; ++c)
            sum += load(p.dtype, p.in, b * p.in_stride + r * p.columns + c) *
                   load(p.dtype, p.weights, b * p.weights_stride + o * p.columns + c);
          std::uint64_t const to = b * p.out_stride + r * p.out_row + o;
          float const before = p.beta == 0 ? 0.0F : p.beta * load(p.out_dtype, p.out, to);
          store(p.out_dtype, p.out, to, p.alpha * sum + before);
        }
      }
    }
  }
};

/// HostProducts on a test stream, each product as a kernel with one thread.
template <class Stream>
struct KernelProducts {
  Stream stream;

  struct Kernel {
    using Shared = zeroth::cuda::NothingShared;
    static constexpr unsigned phases = 1;
    zeroth::model::cuda::Product product;
    template <unsigned phase>
    void run(zeroth::cuda::Place at, Shared& /*shared*/) const {
      if (at.global() == 0) HostProducts::run(product, "");
    }
  };
  void run(zeroth::model::cuda::Product const& product, std::string const& what) const {
    stream.launch(Kernel{product}, 1, what);
  }
};

/// The operations of the CUDA transformer, except for launches and cuBLAS.
using EmulatedCudaOps = zeroth::model::cuda::BasicOps<HostStream, HostProducts>;
static_assert(zeroth::model::DecoderOps<EmulatedCudaOps>);

}  // namespace zeroth_test
