// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// A place in a JSON object, such as "passage.questions[].answers[].text": keys joined by dots, where "[]" stands for
/// an element of the array so named. A key with a dot or a bracket in it cannot be written.
class JsonPath {
 public:
  static constexpr std::size_t most_keys = 64;  ///< no file of data is nested deeper

  /// @throws InvalidArgument "expected ..., found ..." if this is no such path.
  explicit JsonPath(std::string_view text);

  /// How many "[]" it has: it begins with as many lists.
  [[nodiscard]] std::size_t lists() const { return keys_.size() - 1; }

  /// Whether it ends in "[]".
  [[nodiscard]] bool is_list() const { return lists() > 0 && keys_.back().empty(); }

  /// Whether it and `other` have their first `count` lists in common.
  [[nodiscard]] bool shares_lists(JsonPath const& other, std::size_t count) const;

  /// The keys up to list `list` (or from the last list to the end, if `list` is lists()), from the list before.
  [[nodiscard]] std::span<std::string const> keys(std::size_t list) const { return keys_[list]; }

  /// The text, with the numbers of the elements between the brackets as far as there are numbers.
  [[nodiscard]] std::string text(std::span<std::size_t const> elements = {}) const;

 private:
  std::vector<std::vector<std::string>> keys_ = {{}};  ///< between one "[]" and the next
};

}  // namespace zeroth::cli
