// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// A change to a field before it is put into a text. Only ASCII letters change case.
enum class TextFilter : std::uint8_t {
  strip,             ///< removes white space from both ends
  lower,             ///< lower-cases all of it
  upper_first,       ///< upper-cases its first letter
  lower_first_word,  ///< lower-cases it up to the first space, unless that is "I"
  drop_period,       ///< removes one "." from the end
  add_question_mark  ///< adds "?" at the end unless there is one
};

/// `text` after the filter.
[[nodiscard]] std::string apply_filter(TextFilter filter, std::string_view text);

/// A text with fields to fill in: "{premise|strip} because". "{{" and "}}" stand for braces.
///
/// The limits keep a task file of a few kilobytes from asking for gigabytes of text per example.
class TextTemplate {
 public:
  static constexpr std::size_t most_fields = 1000;                  ///< per text; one that occurs twice counts twice
  static constexpr std::size_t most_filters = 16;                   ///< per field
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;  ///< of text and fields, filled in

  TextTemplate() = default;

  /// @param index_of the index of the field of that name; may throw
  /// @throws InvalidArgument "expected ..., found ..." if a brace has no partner, a name is empty, a filter is unknown,
  ///   or there are too many fields or filters.
  TextTemplate(std::string_view text, std::function<std::size_t(std::string const& field)> const& index_of);

  /// Whether it has no fields, so that it is the same for every example.
  [[nodiscard]] bool is_fixed() const;

  /// The text with the fields filled in.
  /// @param on_blank called for a field that is blank after its filters; may throw
  /// @throws InvalidArgument "expected ..., found ..." if text and fields have more than most_bytes
  [[nodiscard]] std::string fill(std::span<std::string_view const> values,
                                 std::function<void(std::size_t field)> const& on_blank) const;

 private:
  static constexpr std::size_t no_field = static_cast<std::size_t>(-1);
  struct Part {
    std::string text;  ///< before the field
    std::size_t field = no_field;
    std::vector<TextFilter> filters = {};
  };

  std::vector<Part> parts_;
};

}  // namespace zeroth::cli
