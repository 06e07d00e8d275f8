// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// A place in a JSON object, such as "passage.questions[].answers[].text": keys joined by dots, where "[]" stands for
/// an element of the array of that name. Keys that contain a dot or a bracket cannot be written.
class JsonPath {
 public:
  static constexpr std::size_t most_keys = 64;  ///< no file of data is nested deeper

  /// @throws InvalidArgument "expected ..., found ..." if it is not such a path.
  explicit JsonPath(std::string_view text);

  /// The number of "[]" in it.
  [[nodiscard]] std::size_t lists() const { return keys_.size() - 1; }

  /// Whether it ends in "[]".
  [[nodiscard]] bool is_list() const { return lists() > 0 && keys_.back().empty(); }

  /// Whether it and `other` have their first `count` lists in common.
  [[nodiscard]] bool shares_lists(JsonPath const& other, std::size_t count) const;

  /// The keys from the list before list `list` up to it; if `list` is lists(), from the last list to the end.
  [[nodiscard]] std::span<std::string const> keys(std::size_t list) const { return keys_[list]; }

  /// The text, with the given indices of elements between the brackets.
  [[nodiscard]] std::string text(std::span<std::size_t const> elements = {}) const;

 private:
  std::vector<std::vector<std::string>> keys_ = {{}};  ///< between one "[]" and the next
};

}  // namespace zeroth::cli
