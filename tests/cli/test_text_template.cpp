// SPDX-License-Identifier: MIT
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>

#include "../../cli/tasks/text_template.hpp"
#include "catch.hpp"

using namespace zeroth::cli;

namespace {

std::vector<std::string> const names{"a", "long name", "blank"};
std::vector<std::string_view> const values{" Some Text. ", "x", " \n"};

TextTemplate make(std::string const& text) {
  return TextTemplate(text, [](std::string const& name) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return i;
    throw zeroth::InvalidArgument("expected a field, found " + name);
  });
}

std::string fill(std::string const& text) {
  return make(text).fill(values, [](std::size_t field) { throw std::out_of_range(names[field] + " is blank"); });
}

}  // namespace

TEST_CASE("a template puts fields between its text, through filters in their order") {
  CHECK(fill("plain") == "plain");
  CHECK(fill("").empty());
  CHECK(fill("{a}") == " Some Text. ");
  CHECK(fill("<{a|strip}>{long name}.") == "<Some Text.>x.");
  CHECK(fill("{a|strip|drop_period|lower}") == "some text");
  CHECK(fill("{a|drop_period|strip}") == "Some Text.");
  CHECK(fill("{long name}{long name}") == "xx");
}

TEST_CASE("doubled braces are braces") {
  CHECK(fill("{{a}}") == "{a}");
  CHECK(fill("{{{long name}}}") == "{x}");
  CHECK(fill("{{}}{{") == "{}{");
}

TEST_CASE("each filter does what it says, to ASCII letters only") {
  CHECK(apply_filter(TextFilter::strip, "\t a b \n") == "a b");
  CHECK(apply_filter(TextFilter::lower, "AbZ \xC3\x84") == "abz \xC3\x84");
  CHECK(apply_filter(TextFilter::upper_first, "is IT") == "Is IT");
  CHECK(apply_filter(TextFilter::upper_first, "").empty());
  CHECK(apply_filter(TextFilter::lower_first_word, "The TV Broke") == "the TV Broke");
  CHECK(apply_filter(TextFilter::lower_first_word, "TV") == "tv");
  CHECK(apply_filter(TextFilter::lower_first_word, "I Ran") == "I Ran");
  CHECK(apply_filter(TextFilter::lower_first_word, "I'm In") == "i'm In");
  CHECK(apply_filter(TextFilter::drop_period, "a..") == "a.");
  CHECK(apply_filter(TextFilter::drop_period, "a") == "a");
  CHECK(apply_filter(TextFilter::add_question_mark, "a") == "a?");
  CHECK(apply_filter(TextFilter::add_question_mark, "a?") == "a?");
}

TEST_CASE("a template knows whether it is the same for every example") {
  CHECK(make("{{a}} b").is_fixed());
  CHECK_FALSE(make("{a} b").is_fixed());
}

TEST_CASE("a field of which nothing but white space is left is reported") {
  CHECK_THROWS_WITH(fill("{blank}"), "blank is blank");
  CHECK_THROWS_WITH(fill("{blank|strip}"), "blank is blank");
  CHECK(make("{blank}").fill(values, [](std::size_t) {}) == " \n");
}

TEST_CASE("a template with a lone brace, an empty name or an unknown filter is rejected") {
  CHECK_THROWS_WITH(fill("a} b"), "expected \"}}\" for a brace, found \"}\" after \"a\"");
  CHECK_THROWS_WITH(fill("a {b"), "expected \"{field}\", or \"{{\" for a brace, found \"{b\"");
  CHECK_THROWS_WITH(fill("{}"), "expected the name of a field in braces, found \"{}\"");
  CHECK_THROWS_WITH(fill("{|strip}"), "expected the name of a field in braces, found \"{}\"");
  CHECK_THROWS_WITH(fill("{b}"), "expected a field, found b");
  CHECK_THROWS_WITH(fill("{a|trim}"),
                    "expected one of the filters strip, lower, upper_first, lower_first_word, drop_period, "
                    "add_question_mark, found \"trim\"");
  CHECK_THROWS_AS(fill("{a|}"), zeroth::InvalidArgument);
}

TEST_CASE("a template has bounds on fields, filters and the text that they make") {
  auto const many = [](std::string const& text, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  CHECK(fill(many("{long name}", 1000)) == std::string(1000, 'x'));
  CHECK_THROWS_WITH(make(many("{long name}", 1001)), "expected a text with at most 1000 fields, found more");
  CHECK(fill("{a" + many("|strip", 16) + "}") == "Some Text.");
  CHECK_THROWS_WITH(fill("{a" + many("|strip", 17) + "}"), "expected at most 16 filters after \"a\", found more");
  std::string const long_value(TextTemplate::most_bytes / 4, 'v');
  std::vector<std::string_view> const long_values{long_value};
  CHECK(make("{a}{a}{a}{a}").fill(long_values, [](std::size_t) {}).size() == TextTemplate::most_bytes);
  CHECK_THROWS_WITH(make("{a}{a}.{a}{a}").fill(long_values, [](std::size_t) {}),
                    "expected text and fields of at most 16777216 bytes together, found more");
}
