// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <zeroth/mask/mask.hpp>

namespace zeroth::ZEROTH_ISA {

/// Every weight is active: MeZO (Malladi et al., "Fine-Tuning Language Models with Just Forward Passes", 2023).
struct Dense {
  struct Rule {
    static constexpr bool depends_on_weights = false;
    [[nodiscard]] ZEROTH_HOST_DEVICE constexpr bool operator()(float /*theta*/,
                                                               std::uint64_t /*element*/) const noexcept {
      return true;
    }
  };
  struct State {
    [[nodiscard]] TensorMask<Rule> tensor(std::size_t /*index*/, std::uint32_t /*step*/) const noexcept {
      return {Coverage::all, {}};
    }
    [[nodiscard]] static constexpr bool is_fixed() noexcept { return true; }
  };

  [[nodiscard]] State prepare(ParameterSet const& /*parameters*/, WeightReader const& /*weights*/) const { return {}; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "dense"; }
  bool operator==(Dense const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
