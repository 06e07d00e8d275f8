// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <zeroth/backend/cuda/graph_stream.hpp>
#include <zeroth_model/ops/cuda/products.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Products of P as part of what a GraphStream collects; P uses the stream below it.
template <zeroth::cuda::StreamWithGraphs Device, Products P>
class GraphProducts {
 public:
  GraphProducts(zeroth::cuda::GraphStream<Device> stream, P products)
      : stream_(std::move(stream)), products_(std::make_shared<P const>(std::move(products))) {}

  /// See Products.
  void run(Product const& product, std::string const& what) const { stream_.call(products_, product, what); }

 private:
  zeroth::cuda::GraphStream<Device> stream_;
  std::shared_ptr<P const> products_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda
