// SPDX-License-Identifier: MIT
#pragma once

// What a fuzz target must define and may use. A target is one file, fuzz_NAME.cpp, with run() and seeds(); CMake finds
// it by itself.

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>

namespace zeroth_fuzz {

using Input = std::span<const std::byte>;

/// Feeds one input to the code under test. Returns true if it was accepted, false if it was rejected as an invalid
/// file. Any other exception is a failure, as is anything that a sanitizer finds.
bool run(Input input);

/// Inputs to begin with: small ones that together contain every part of the format. The first must be accepted.
std::vector<std::string> seeds();

/// If all targets are in one program (all_targets.cpp): adds one, and returns true.
bool add_target(std::string_view name, bool (*run)(Input), std::vector<std::string> (*seeds)());

/// Fails if `holds` is false.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error(what);
}

/// Calls `read`. Returns true if it returns, false if it throws Refusal, whose message must be one line that says what
/// is wrong.
template <class Refusal = zeroth::InvalidFile, class Read>
bool reads_or_refuses(Read read) {
  try {
    read();
    return true;
  } catch (const Refusal& error) {
    const std::string_view what = error.what();
    require(!what.empty(), "a message is empty");
    require(what.size() < 4096, "a message goes on and on");
    for (const char c : what) require(static_cast<unsigned char>(c) >= 0x20, "a message has control characters");
    return false;
  }
}

/// Reads what the code under test wrote itself: fails if that is rejected.
template <class Read>
auto read_again(Read read) {
  try {
    return read();
  } catch (const zeroth::Error& error) {
    throw std::logic_error(std::string("what it wrote is refused: ") + error.what());
  }
}

inline std::string_view text_of(Input input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

}  // namespace zeroth_fuzz
