// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/ops/cpu.hpp>
#include <zeroth_model/ops/eigen.hpp>
#ifdef ZEROTH_ONEDNN
#include <zeroth_model/ops/onednn.hpp>
#endif

#include "case.hpp"

namespace zeroth_bench {

/// A decoder with those operations.
[[nodiscard]] inline zeroth::model::AnyDecoder make_decoder(zeroth::model::DecoderWeights const& weights,
                                                            Operations operations, zeroth::AnyExecutor executor,
                                                            zeroth::DataType compute = zeroth::DataType::f32) {
  using namespace zeroth::model;
#ifdef ZEROTH_ONEDNN
  if (operations == Operations::onednn) return AnyDecoder(Decoder(weights, OneDnnOps(executor, compute)));
#endif
  if (operations == Operations::onednn || (operations == Operations::eigen && compute != zeroth::DataType::f32))
    throw zeroth::InvalidArgument("this build has no such products");
  if (operations == Operations::eigen) return AnyDecoder(Decoder(weights, EigenOps(executor)));
  return AnyDecoder(Decoder(weights, CpuOps(executor, zeroth::best_instruction_set(), compute)));
}

/// A product of a forward: the activations of `tokens` rows times the transpose of a weight.
struct Product {
  std::size_t parameter;
  std::size_t tokens;
};

/// The products in the layers of a forward whose sequences are each scored at their end. From the last layer's queries
/// on, only the scored rows are processed; of the head, only the candidates' rows are read.
[[nodiscard]] inline std::vector<Product> products_of(zeroth::model::DecoderWeights const& weights,
                                                      std::size_t tokens) {
  std::vector<Product> products;
  auto const& layers = weights.tensors().layers;
  for (auto const& layer : layers) {
    std::size_t const asking = &layer == &layers.back() ? batch_size : tokens;
    for (auto const& linear : {layer.key, layer.value}) products.push_back({linear.weight, tokens});
    for (auto const& linear : {layer.query, layer.attention_out, layer.gate, layer.up, layer.down})
      if (linear.weight != zeroth::model::no_tensor) products.push_back({linear.weight, asking});
  }
  return products;
}

/// Multiplications and additions of those products.
[[nodiscard]] inline double operations_of(zeroth::model::DecoderWeights const& weights,
                                          std::vector<Product> const& products) {
  double sum = 0;
  for (Product const& p : products)
    sum += 2.0 * static_cast<double>(weights.parameters()[p.parameter].size() * p.tokens);
  return sum;
}

}  // namespace zeroth_bench
