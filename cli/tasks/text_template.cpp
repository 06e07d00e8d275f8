// SPDX-License-Identifier: MIT
#include "text_template.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <zeroth/error.hpp>

#include "io/text.hpp"

namespace zeroth::cli {
namespace {

struct NamedFilter {
  std::string_view name;
  TextFilter filter;
};

constexpr std::array<NamedFilter, 6> filters{{{"strip", TextFilter::strip},
                                              {"lower", TextFilter::lower},
                                              {"upper_first", TextFilter::upper_first},
                                              {"lower_first_word", TextFilter::lower_first_word},
                                              {"drop_period", TextFilter::drop_period},
                                              {"add_question_mark", TextFilter::add_question_mark}}};

TextFilter find_filter(std::string_view name) {
  std::string names;
  for (NamedFilter const& filter : filters) {
    if (filter.name == name) return filter.filter;
    names += (names.empty() ? "" : ", ") + std::string(filter.name);
  }
  throw InvalidArgument("expected one of the filters " + names + ", found " + in_quotes(name));
}

// Instead of std::tolower, which depends on the locale.
char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::string apply_filter(TextFilter filter, std::string_view text) {
  std::string out(filter == TextFilter::strip ? strip(text) : text);
  switch (filter) {
    case TextFilter::strip:
      break;
    case TextFilter::lower:
      std::transform(out.begin(), out.end(), out.begin(), to_lower);
      break;
    case TextFilter::upper_first:
      if (!out.empty()) out[0] = to_upper(out[0]);
      break;
    case TextFilter::lower_first_word: {
      std::size_t const length = std::min(out.find(' '), out.size());
      auto const end = out.begin() + static_cast<std::ptrdiff_t>(length);
      if (out.substr(0, length) != "I") std::transform(out.begin(), end, out.begin(), to_lower);
      break;
    }
    case TextFilter::drop_period:
      if (out.ends_with('.')) out.pop_back();
      break;
    case TextFilter::add_question_mark:
      if (!out.ends_with('?')) out += '?';
      break;
  }
  return out;
}

TextTemplate::TextTemplate(std::string_view text,
                           std::function<std::size_t(std::string const& field)> const& index_of) {
  Part part;
  std::size_t fields = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (c != '{' && c != '}') {
      part.text += c;
    } else if (text.substr(i + 1).starts_with(c)) {
      part.text += c;
      ++i;
    } else if (c == '}') {
      throw InvalidArgument("expected \"}}\" for a brace, found \"}\" after " + in_quotes(text.substr(0, i)));
    } else {
      std::size_t const end = text.find('}', i);
      if (end == std::string_view::npos)
        throw InvalidArgument("expected \"{field}\", or \"{{\" for a brace, found " + in_quotes(text.substr(i)));
      std::string_view inside = text.substr(i + 1, end - i - 1);
      std::size_t bar = inside.find('|');
      std::string const name(inside.substr(0, bar));
      if (name.empty()) throw InvalidArgument("expected the name of a field in braces, found \"{}\"");
      if (++fields == most_fields + 1)
        throw InvalidArgument("expected a text with at most " + std::to_string(most_fields) + " fields, found more");
      part.field = index_of(name);
      while (bar != std::string_view::npos) {
        inside.remove_prefix(bar + 1);
        bar = inside.find('|');
        if (part.filters.size() == most_filters)
          throw InvalidArgument("expected at most " + std::to_string(most_filters) + " filters after " +
                                in_quotes(name) + ", found more");
        part.filters.push_back(find_filter(inside.substr(0, bar)));
      }
      parts_.push_back(std::exchange(part, Part{}));
      i = end;
    }
  }
  if (!part.text.empty()) parts_.push_back(std::move(part));
}

bool TextTemplate::is_fixed() const {
  return std::all_of(parts_.begin(), parts_.end(), [](Part const& part) { return part.field == no_field; });
}

std::string TextTemplate::fill(std::span<std::string_view const> values,
                               std::function<void(std::size_t field)> const& on_blank) const {
  std::string out;
  std::size_t left = most_bytes;
  auto const spend = [&](std::string_view text) {
    if (text.size() > left)
      throw InvalidArgument("expected text and fields of at most " + std::to_string(most_bytes) +
                            " bytes together, found more");
    left -= text.size();
  };
  for (Part const& part : parts_) {
    spend(part.text);
    out += part.text;
    if (part.field == no_field) continue;
    spend(values[part.field]);
    std::string value(values[part.field]);
    for (TextFilter filter : part.filters) value = apply_filter(filter, value);
    if (strip(value).empty()) on_blank(part.field);
    out += value;
  }
  return out;
}

}  // namespace zeroth::cli
