// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// File format of a saved model.
enum class ModelFormat : std::uint8_t { safetensors, gguf, both };

[[nodiscard]] constexpr std::string_view to_string(ModelFormat format) noexcept {
  switch (format) {
    case ModelFormat::safetensors:
      return "safetensors";
    case ModelFormat::gguf:
      return "gguf";
    case ModelFormat::both:
      return "both";
  }
  return "unknown";
}

}  // namespace zeroth::ZEROTH_ISA::model
