// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "decoder_support.hpp"
#include "zeroth_model/adapter/lora.hpp"
#include "zeroth_model/io/hugging_face/load_hugging_face.hpp"
#include "zeroth_model/ops/eigen.hpp"

namespace zeroth_test {

using EigenDecoder = zeroth::model::Decoder<zeroth::model::EigenOps>;

inline zeroth::model::DecoderWeights load_family_folder(std::string const& name) {
  return zeroth::model::load_hugging_face(golden_file("families/" + name));
}

inline zeroth::model::DecoderWeights load_family_gguf(std::string const& name) {
  return zeroth::model::load_gguf(zeroth::model::GgufFile(golden_file("families/" + name + "/model.gguf")));
}

/// An adapter of every linear layer whose A and B are far from zero.
inline zeroth::model::LoraAdapter busy_adapter(zeroth::model::DecoderWeights const& weights, std::uint32_t rank = 4) {
  zeroth::model::LoraAdapter adapter(weights, {.rank = rank, .alpha = 6, .targets = {"*"}, .seed = 3});
  for (zeroth::model::LoraPair const& pair : adapter.pairs())
    for (std::size_t i = 0; float& value : adapter.values(pair.b))
      value = 0.2F * std::sin(static_cast<float>(++i + pair.b));
  return adapter;
}

/// A copy of an adapter as lane `lane` of `probe` sees it.
inline zeroth::model::LoraAdapter perturbed(zeroth::model::DecoderWeights const& weights,
                                            zeroth::model::LoraAdapter const& adapter, HashProbe const& probe,
                                            zeroth::Point lane) {
  std::vector<std::size_t> adapted;
  for (zeroth::model::LoraPair const& pair : adapter.pairs()) adapted.push_back(pair.weight);
  zeroth::model::LoraAdapter copy(weights, adapter.rank(), adapter.alpha(), adapted);
  for (std::size_t p = 0; p < adapter.parameters().size(); ++p)
    for (std::size_t i = 0; i < copy.values(p).size(); ++i) copy.values(p)[i] = probe.value(lane, p, i);
  return copy;
}

}  // namespace zeroth_test
