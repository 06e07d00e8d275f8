// SPDX-License-Identifier: MIT
// Text templates: an accepted one must fill, and an input with every brace doubled yields itself.

#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>

#include "../../cli/tasks/text_template.hpp"
#include "fuzz_target.hpp"

namespace zeroth_fuzz {

using zeroth::cli::TextTemplate;

bool run(Input input) {
  const std::string_view text = text_of(input);
  std::string doubled;
  for (const char c : text) doubled += c == '{' || c == '}' ? std::string(2, c) : std::string(1, c);
  const TextTemplate fixed(doubled, [](const std::string&) -> std::size_t {
    throw std::logic_error("a doubled brace is taken for a field");
  });
  require(fixed.is_fixed(), "a text without fields is not fixed");
  require(fixed.fill({}, [](std::size_t) {}) == text, "a text without fields is not itself");

  std::vector<std::string> values;
  const auto index_of = [&](const std::string& name) {
    values.push_back(name);
    return values.size() - 1;
  };
  return reads_or_refuses<zeroth::InvalidArgument>([&] {
    const TextTemplate filled(text, index_of);
    require(filled.is_fixed() == values.empty(), "whether it has fields is not known");
    std::size_t blank = 0;
    const std::vector<std::string_view> views(values.begin(), values.end());
    const std::string out = filled.fill(views, [&](std::size_t field) {
      require(field < values.size(), "a field that is none is blank");
      ++blank;
    });
    require(out.size() <= text.size() + values.size(), "a filled text is longer than its parts");
    require(blank <= values.size(), "a field is blank twice");
  });
}

std::vector<std::string> seeds() {
  return {
      "{premise|strip} because {{{hypothesis|lower_first_word|drop_period}}}",
      "{a|upper_first|add_question_mark}{b|lower}\n",
      "no field",
      "{I |lower_first_word}{ |strip}",
  };
}

}  // namespace zeroth_fuzz
