// SPDX-License-Identifier: MIT
#pragma once

// Large inputs for every reader of files, and their readers: growth.cpp compares the work with the size of the input.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth_fuzz {

/// Inputs of one form; each is about twice as large as the one of half the size.
struct LargeInput {
  std::string name;
  std::function<std::string(std::size_t size)> make;  ///< with `size` keys, rows, tensors or the like
  std::function<void(std::string_view input)> read;   ///< any exception that leaves it is a failure
};

std::vector<LargeInput> large_model_inputs();
std::vector<LargeInput> large_task_inputs();

/// `part(i)` for each i below `count`, with `separator` between one and the next.
template <class Part>
std::string joined(std::size_t count, std::string_view separator, Part part) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += separator;
    text += part(i);
  }
  return text;
}

inline std::string repeated(std::string_view part, std::size_t count) {
  return joined(count, "", [&](std::size_t) { return part; });
}

}  // namespace zeroth_fuzz
