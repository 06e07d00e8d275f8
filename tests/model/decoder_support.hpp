// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "golden.hpp"
#include "zeroth_model/ops/cpu.hpp"

namespace zeroth_test {

using CpuDecoder = zeroth::model::Decoder<zeroth::model::CpuOps>;

/// A probe whose noise is a hash of (sample, stream, index), so tests do not need the optimizer's.
class HashProbe {
 public:
  HashProbe(zeroth::ParameterSet const& parameters, std::vector<zeroth::Point> lanes, float epsilon)
      : parameters_(parameters), lanes_(std::move(lanes)), epsilon_(epsilon) {}

  [[nodiscard]] std::span<zeroth::Point const> points() const { return lanes_; }
  [[nodiscard]] std::uint64_t step() const { return 0; }
  [[nodiscard]] std::uint32_t micro_batch() const { return 0; }

  [[nodiscard]] float value(zeroth::Point lane, std::size_t parameter, std::uint64_t index) const {
    zeroth::Parameter const& p = parameters_[parameter];
    std::uint64_t h = (index + 1) * 0x9e3779b97f4a7c15ULL + p.stream * 0xbf58476d1ce4e5b9ULL + lane.sample * 77777ULL;
    h = (h ^ (h >> 29)) * 0x94d049bb133111ebULL;
    h ^= h >> 32;
    float const noise = static_cast<float>(h & 0xffff) / 32768.0F - 1.0F;
    return static_cast<float const*>(p.data)[index] + static_cast<float>(lane.sign) * epsilon_ * noise;
  }

  void expand(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    for (std::size_t k = 0; k < lanes_.size(); ++k)
      for (std::uint64_t i = 0; i < count; ++i) panels[k][i] = value(lanes_[k], parameter, first + i);
  }

 private:
  zeroth::ParameterSet const& parameters_;
  std::vector<zeroth::Point> lanes_;
  float epsilon_;
};

/// A copy of the weights as lane `lane` of `probe` sees them.
inline zeroth::model::DecoderWeights perturbed(zeroth::model::DecoderWeights const& weights, HashProbe const& probe,
                                               zeroth::Point lane) {
  zeroth::model::DecoderWeights copy(weights.config());
  for (std::size_t p = 0; p < weights.parameters().size(); ++p)
    for (std::size_t i = 0; i < copy.values(p).size(); ++i) copy.values(p)[i] = probe.value(lane, p, i);
  return copy;
}

}  // namespace zeroth_test
