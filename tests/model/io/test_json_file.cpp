// SPDX-License-Identifier: MIT
#include "zeroth_model/io/json_file.hpp"

#include <array>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidFile;
using zeroth::model::JsonValue;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

JsonValue parse(std::string_view text) {
  return JsonValue::parse(text, "config.json");
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("JsonValue reads every type") {
  const JsonValue config = parse(R"({"u": 4294967295, "i": -2147483648, "big": 18446744073709551615,
      "low": -9223372036854775808, "f": 1e-05, "whole": 10000, "yes": true, "s": "caf\u00e9", "none": null,
      "list": [1, 2, 3], "names": ["a", "b"], "empty": [], "flags": [true, false]})");
  CHECK(config.get<std::uint32_t>("u") == 4294967295u);
  CHECK(config.get<std::int64_t>("u") == 4294967295);
  CHECK(config.get<std::int32_t>("i") == -2147483647 - 1);
  CHECK(config.get<std::uint64_t>("big") == ~std::uint64_t{0});
  CHECK(config.get<std::int64_t>("low") == -9223372036854775807 - 1);
  CHECK(config.get<float>("f") == 1e-5F);
  CHECK(config.get<double>("f") == 1e-5);
  CHECK(config.get<float>("whole") == 10000.0F);
  CHECK(config.get<bool>("yes"));
  CHECK(config.get<std::string>("s") == "caf\xc3\xa9");
  CHECK(config.find<bool>("yes") == true);
  CHECK_FALSE(config.find<std::string>("none"));
  CHECK_FALSE(config.find<std::string>("absent"));
  CHECK_FALSE(config.find("none"));
  CHECK(config.find("u")->as<std::uint64_t>() == 4294967295u);
  CHECK(config.get_array<std::uint32_t>("list") == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(config.get_array<float>("list") == std::vector<float>{1, 2, 3});
  CHECK(config.get_array<std::string>("names") == std::vector<std::string>{"a", "b"});
  CHECK(config.get_array<bool>("flags") == std::vector<bool>{true, false});
  CHECK(config.get_array<bool>("empty").empty());
  CHECK_FALSE(config.find_array<bool>("none"));
  CHECK(config.json().size() == 13);
  CHECK(config.file_name() == "config.json");
}

TEST_CASE("JsonValue names the file, the key, what was expected and what was found") {
  const JsonValue config = parse(R"({"hidden": -1, "big": 4294967296, "act": "silu", "none": null, "half": 1.5,
      "huge": 1e39, "rope": {"factor": "two", "list": [1, "x"]}, "layers": [{"kind": 1}, {"kind": false}]})");
  CHECK_THROWS_WITH(config.get<std::uint32_t>("hidden"),
                    "config.json: key 'hidden': expected an unsigned integer below 2^32, found -1");
  CHECK_THROWS_WITH(config.get<std::uint64_t>("hidden"), contains_text("expected an unsigned integer, found -1"));
  CHECK_THROWS_WITH(config.get<std::uint32_t>("big"), contains_text("'big': ") && contains_text("found 4294967296"));
  CHECK_THROWS_WITH(config.get<std::int32_t>("big"), contains_text("expected an integer of 32 bits"));
  CHECK_THROWS_WITH(config.find<std::int64_t>("half"), contains_text("expected an integer, found 1.5"));
  CHECK_THROWS_WITH(config.get<float>("huge"), contains_text("expected a number in the range of float, found 1e+39"));
  CHECK(config.get<double>("huge") == 1e39);
  CHECK_THROWS_WITH(config.get<double>("act"), contains_text("'act': expected a number, found \"silu\""));
  CHECK_THROWS_WITH(config.get<bool>("half"), contains_text("expected true or false, found 1.5"));
  CHECK_THROWS_WITH(config.get<std::string>("rope"),
                    contains_text(R"(expected a string, found {"factor":"two","list":[1,"x"]})"));
  CHECK_THROWS_WITH(config.get<std::string>("layers"),
                    contains_text(R"(expected a string, found [{"kind":1},{"kind":false}])"));
  CHECK_THROWS_WITH(config.get<bool>("none"), contains_text("key 'none': expected true or false, found null"));
  CHECK_THROWS_WITH(config.get<bool>("absent"), contains_text("key 'absent': expected true or false, found none"));
  CHECK_THROWS_WITH(config.get("absent"), "config.json: key 'absent': expected a value, found none");
  CHECK_THROWS_WITH(config.get_array<float>("none"), contains_text("key 'none': expected an array, found null"));
  CHECK_THROWS_WITH(config.get_array<float>("rope"), contains_text("key 'rope': expected an array, found {"));
  CHECK_THROWS_WITH(
      config.elements(),
      "config.json: expected an array, found "
      "{\"act\":\"silu\",\"big\":4294967296,\"half\":1.5,\"hidden\":-1,\"huge\":1e+39,\"layers\":[{\"k...");
  CHECK_THROWS_AS(config.get<bool>("hidden"), InvalidFile);

  const JsonValue rope = config.get("rope");
  CHECK(rope.place() == "config.json: key 'rope'");
  CHECK_THROWS_WITH(rope.get<float>("factor"),
                    "config.json: key 'rope.factor': expected a number in the range of float, found \"two\"");
  CHECK_THROWS_WITH(rope.get<float>("absent"), contains_text("key 'rope.absent': "));
  CHECK_THROWS_WITH(rope.get_array<float>("list"), contains_text("key 'rope.list[1]': ") && contains_text("\"x\""));
  CHECK_THROWS_WITH(rope.get("factor").get<float>("x"),
                    contains_text("key 'rope.factor': expected an object, found \"two\""));
  CHECK_THROWS_WITH(rope.get("factor").members(), contains_text("expected an object"));
  CHECK_THROWS_WITH(config.get("layers").elements()[1].get<std::int32_t>("kind"),
                    contains_text("key 'layers[1].kind': expected an integer of 32 bits, found false"));
  CHECK_THROWS_WITH((throw config.get("act").mismatch("\"gelu\"")),
                    "config.json: key 'act': expected \"gelu\", found \"silu\"");
  CHECK_THROWS_WITH(parse("[3]").elements()[0].as<std::string>(), "config.json: key '[0]': expected a string, found 3");
}

TEST_CASE("JsonValue tells texts, whole numbers and keys that it does not know") {
  const JsonValue config = parse(R"({"kind": "a", "n": 3, "big": [1, 2, 3, 4, 5, 6, 7, 8, 9], "inner": {"x": 1}})");
  CHECK(config.get("kind").is("a"));
  CHECK_FALSE(config.get("kind").is("b"));
  CHECK_FALSE(config.get("n").is("3"));
  CHECK(config.has("kind", "a"));
  CHECK_FALSE(config.has("absent", "a"));
  CHECK_THROWS_WITH(config.get("n").has("kind", "a"), "config.json: key 'n': expected an object, found 3");
  CHECK(config.get<std::string_view>("kind") == "a");
  CHECK(config.get("kind").is_string());
  CHECK(config.get("big").is_array());
  CHECK(config.get("inner").is_object());

  CHECK(config.get("n").whole_number(3, 3) == 3);
  CHECK_THROWS_WITH(config.get("n").whole_number(4, 5),
                    "config.json: key 'n': expected a whole number from 4 to 5, found 3");
  CHECK_THROWS_WITH(config.get("kind").whole_number(0, 5), contains_text("from 0 to 5, found \"a\""));
  CHECK_THROWS_WITH(config.get("big").as<bool>(), contains_text("expected true or false, found an array of 9"));
  CHECK_THROWS_WITH(config.get("absent", "a seed"), "config.json: key 'absent': expected a seed, found none");
  CHECK_THROWS_WITH((throw config.get("n").mismatch("3 tokens", "2")), contains_text("expected 3 tokens, found 2"));

  CHECK_NOTHROW(config.require_keys_among(std::array<std::string_view, 4>{"big", "inner", "kind", "n"}));
  CHECK_THROWS_WITH(config.get("inner").require_keys_among(std::array<std::string_view, 2>{"y", "z"}),
                    "config.json: key 'inner.x': expected one of the keys y, z, found a key that is none");
  CHECK_THROWS_WITH(config.get("n").require_keys_among({}), contains_text("expected an object, found 3"));
}

TEST_CASE("JsonValue lists members, and values outlive the one they came from") {
  std::optional<JsonValue> config = parse(R"({"b": {"x": 1}, "a": 2})");
  const JsonValue inner = config->get("b");
  const auto members = config->members();
  config.reset();
  REQUIRE(members.size() == 2);
  CHECK(members[0].key == "a");
  CHECK(members[0].value.as<std::uint32_t>() == 2);
  CHECK(members[1].value.place() == "config.json: key 'b'");
  CHECK(inner.get<std::uint32_t>("x") == 1);
}

TEST_CASE("JsonValue rejects what is not JSON and says where") {
  const auto refusal = [](std::string_view text) -> std::string {
    try {
      parse(text);
    } catch (const InvalidFile& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string line1 = "config.json: parse error at line 1, column ";
  CHECK(refusal("") == line1 + "1: expected a value, found the end of the text");
  CHECK(refusal("{\n\"a\": 1,\n}") ==
        "config.json: parse error at line 3, column 1: expected a key in double quotes, found '}'");
  CHECK(refusal("[1, 2,]") == line1 + "7: expected a value, found ']'");
  CHECK(refusal("{} {}") == line1 + "4: expected the end of the text, found '{'");
  CHECK(refusal("{} x") == line1 + "4: expected the end of the text, found \"x\"");
  CHECK(refusal("{\"a\" 1}") == line1 + "6: expected ':' after a key, found a number");
  CHECK(refusal("{\"a\": 1 \"b\": 2}") == line1 + "11: expected ',' or '}', found a string");
  CHECK(refusal("[1 true]") == line1 + "7: expected ',' or ']', found true");
  CHECK(refusal("[1") == line1 + "3: expected ',' or ']', found the end of the text");
  CHECK(refusal("{\n  'a': 1}") ==
        "config.json: parse error at line 2, column 3: expected a key in double quotes, found \"'a'\"");
  CHECK(refusal("[True]") == line1 + "2: expected a value, found \"True\"");
  CHECK(refusal("[tsv]") == line1 + "2: expected a value, found \"tsv\"");
  CHECK(refusal("[nul") == line1 + "2: expected a value, found \"nul\"");
  CHECK(refusal("[\"abc") == line1 + "6: expected a closing quote, found the end of the text");
  CHECK(refusal("[\"a\tb\"]") ==
        line1 + "4: expected control characters in a string as \\n or \\u000a, found one itself");
  CHECK(refusal("[\"\\ud800\"]") == line1 + "9: expected both halves of a surrogate pair, found a string with one");
  CHECK(refusal("[\"\xff\"]") == line1 + "3: expected a string in UTF-8, found a byte that is not");
  CHECK(refusal("[\"surrogate \\NaN\"]") ==
        line1 + "14: expected JSON, found an invalid string: forbidden character after backslash");
  CHECK(refusal("[1.]") == line1 + "4: expected JSON, found an invalid number; expected digit after '.'");
  CHECK(refusal("{\"a\": 1e400}") == line1 + "11: expected a number in the range of double, found '1e400'");
  CHECK(refusal(std::string_view("{}\0", 3)) == "config.json: expected JSON, found a zero byte at offset 2");
  // Bytes that are not UTF-8: in a string, in a key, half a surrogate pair, a character cut short.
  for (const std::string_view text :
       {"[\"\xff\"]", "{\"\xc3\": 1}", "[\"\\ud800\"]", "[\"\xe2\x82\"]", "[\"\xc0\x80\"]"}) {
    CHECK_THROWS_AS(parse(text), InvalidFile);
  }
  try {
    parse("[\"caf\xc3\xa9 \xff\n\"]");
    FAIL("expected an exception");
  } catch (const InvalidFile& error) {
    for (const char c : std::string(error.what())) CHECK((c >= 0x20 && c < 0x7f));
  }
}

TEST_CASE("JsonValue rejects NaN and Infinity as Python writes them") {
  for (const std::string word : {"NaN", "Infinity", "-Infinity"}) {
    INFO(word);
    for (const std::string& text : {word, "[" + word + "]", "{\"a\": " + word + "}"}) {
      CHECK_THROWS_WITH(parse(text), contains_text("expected JSON, which has finite numbers only, found " +
                                                   word.substr(word[0] == '-' ? 1 : 0)));
    }
  }
  CHECK_THROWS_WITH(parse("{\n  \"a\": NaN}"), contains_text("config.json: parse error at line 2, column 8: expected"));
  CHECK(parse("{\"NaN\": \"Infinity\"}").get<std::string>("NaN") == "Infinity");
}

TEST_CASE("JsonValue reads UTF-8 with a byte order mark and names other encodings") {
  CHECK(parse("\xEF\xBB\xBF{\"a\": 1}").get<std::uint32_t>("a") == 1);
  CHECK_THROWS_WITH(parse("\xEF\xBB\xBF[1,]"),
                    "config.json: parse error at line 1, column 4: expected a value, found ']'");
  const std::string text = "{\"hidden_size\": 64}\n";
  std::string little;
  std::string big;
  for (const char c : text) {
    little += std::string{c, '\0'};
    big += std::string{'\0', c};
  }
  const std::string expected = "config.json: expected JSON in UTF-8, found ";
  CHECK_THROWS_WITH(parse(little), expected + "UTF-16, little-endian");
  CHECK_THROWS_WITH(parse("\xFF\xFE" + little), expected + "UTF-16, little-endian");
  CHECK_THROWS_WITH(parse(big), expected + "UTF-16, big-endian");
  CHECK_THROWS_WITH(parse("\xFE\xFF" + big), expected + "UTF-16, big-endian");
  std::string four;
  for (const char c : text) four += std::string{c, '\0', '\0', '\0'};
  CHECK_THROWS_WITH(parse(four), expected + "UTF-32, little-endian");
  CHECK_THROWS_WITH(parse(std::string("\0\0\xFE\xFF", 4)), expected + "UTF-32, big-endian");
}

TEST_CASE("JsonValue says the place of a value deep inside and among many, without what is long") {
  std::string text = "1";
  for (int depth = 0; depth < 40; ++depth) text = "{\"" + std::string(60, 'k') + "\": " + text + "}";
  JsonValue value = parse(text);
  for (int depth = 0; depth < 40; ++depth) value = value.members()[0].value;
  const std::string place = value.place();
  CHECK(place.starts_with("config.json: key '...kkk"));
  CHECK(place.ends_with("k." + std::string(60, 'k') + "'"));
  CHECK(place.size() < 300);

  const JsonValue root = parse(R"({"a": [{"x": 1}, {"x": 2}], "b": [[3], [4, [5, 6]]]})");
  CHECK(root.get("a").elements()[1].get("x").place() == "config.json: key 'a[1].x'");
  CHECK(root.get("b").elements()[1].elements()[1].elements()[0].place() == "config.json: key 'b[1][1][0]'");
  CHECK_THROWS_WITH(root.get("a").elements()[1].get("y"), "config.json: key 'a[1].y': expected a value, found none");
}

TEST_CASE("JsonValue rejects a key that an object has twice") {
  CHECK_THROWS_WITH(parse(R"({"a": 1, "b": 2, "a": 1})"), "config.json: key 'a': expected once, found twice");
  CHECK_THROWS_WITH(parse(R"([{"x": {"a": 1, "\u0061": 2}}])"), contains_text("key 'a': expected once"));
  CHECK_NOTHROW(parse(R"({"a": {"a": [{"a": 1}, {"a": 2}]}})"));
}

TEST_CASE("JsonValue has limits for size and nesting") {
  CHECK_NOTHROW(parse(nested(64)));
  CHECK_THROWS_WITH(parse(nested(65)), contains_text("expected values nested at most 64 deep"));
  CHECK_THROWS_WITH(parse(std::string(1000000, '[')), contains_text("at most 64 deep"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK_THROWS_WITH(parse(objects), contains_text("at most 64 deep"));
  CHECK_NOTHROW(JsonValue::parse(nested(65), "x", {.nesting = 65}));
  CHECK_NOTHROW(JsonValue::parse("[1, 2]", "x", {.bytes = 6}));
  CHECK_THROWS_WITH(JsonValue::parse("[1, 22]", "x", {.bytes = 6}), "x: expected at most 6 bytes of JSON, found 7");
  // Siblings do not add to the depth.
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  CHECK_NOTHROW(parse(wide + "{}]"));
}

TEST_CASE("JsonValue cuts long keys and values in messages, between characters") {
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += "\xe2\x82\xac";
  const JsonValue config = parse("{\"" + long_text + "\": \"" + long_text + "\", \"k\\n\": \"a\\nb\"}");
  std::string cut;
  for (int i = 0; i < 26; ++i) cut += "\xe2\x82\xac";  // 78 bytes
  CHECK_THROWS_WITH(config.get<bool>(long_text),
                    "config.json: key '" + cut + "...': expected true or false, found \"" + cut + "...\"");
  CHECK_THROWS_WITH(config.get<bool>("k\n"), "config.json: key 'k?': expected true or false, found \"a?b\"");
}

TEST_CASE("JsonValue loads a file") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "config.json").string();
  std::ofstream(path) << "{\"a\": 1}\n";
  CHECK(JsonValue::load(path).get<std::uint32_t>("a") == 1);
  CHECK_THROWS_WITH(JsonValue::load(path).get<std::uint32_t>("b"), contains_text(path + ": key 'b': "));
  CHECK_THROWS_WITH(JsonValue::load(path, {.bytes = 4}), contains_text(path + ": expected at most 4 bytes"));
  CHECK_THROWS_WITH(JsonValue::load((folder / "absent").string()), contains_text("No such file"));
  CHECK_THROWS_WITH(JsonValue::load(folder.path().string()), contains_text("expected a regular file"));
}
