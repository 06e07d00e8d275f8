// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Where a text gets an extra space, so that its first word is written as in the middle of a sentence. A part lies
/// between two user-defined tokens. The first two are a normalizer's; with the others, normalised added tokens are
/// searched for in a text whose spaces are not yet written, so a token with strip_left takes those spaces.
enum class SpacePrefix {
  none,               ///< nowhere; the normalizer `Replace` of Gemma's tokenizer.json
  each_part,          ///< before each part; the normalizer `Prepend` of LLaMA-2's tokenizer.json
  no_part,            ///< nowhere; `Metaspace(prepend_scheme="never")`
  each_part_without,  ///< before each part that does not begin with a space; `Metaspace(prepend_scheme="always")`
  first_part,         ///< before a part that begins the text and not with a space; `Metaspace(prepend_scheme="first")`
};

/// Whether a text may get an extra space.
[[nodiscard]] constexpr bool adds_space(SpacePrefix prefix) noexcept {
  return prefix != SpacePrefix::none && prefix != SpacePrefix::no_part;
}

/// Whether spaces are written by a normalizer.
[[nodiscard]] constexpr bool is_normalizer(SpacePrefix prefix) noexcept {
  return prefix == SpacePrefix::none || prefix == SpacePrefix::each_part;
}

}  // namespace zeroth::ZEROTH_ISA::model
