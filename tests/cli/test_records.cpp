// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>

#include "../../cli/tasks/records.hpp"
#include "catch.hpp"
#include "files.hpp"

using namespace zeroth::cli;
using zeroth_test::TemporaryDirectory;
using Words = std::vector<std::string>;

namespace {

RecordForm table(DataFormat format, Words const& fields, Words const& columns = {}) {
  RecordForm form;
  form.format = format;
  form.columns = columns;
  for (std::string const& field : fields) form.fields.push_back({field, {field}});
  return form;
}

RecordForm replacing(RecordForm form) {
  form.replaces_invalid_utf8 = true;
  return form;
}

RecordForm json(Words const& paths, std::string const& examples = "") {
  RecordForm form = table(DataFormat::jsonl, paths);
  for (Field& field : form.fields) field.paths.emplace_back(field.places[0]);
  if (!examples.empty()) form.examples = JsonPath(examples);
  return form;
}

/// Each record as "line.element value value ...: list".
Words read(RecordForm const& form, std::string const& text) {
  TemporaryDirectory const directory;
  Words records;
  read_records(write_file(directory, "f", text), form, [&](Record const& record) {
    std::string all = std::to_string(record.line) + "." + std::to_string(record.element);
    for (std::string_view value : record.values) all += " <" + std::string(value) + ">";
    for (std::string_view value : record.list) all += " [" + std::string(value) + "]";
    records.push_back(all);
  });
  return records;
}

/// The message about the file, without its folder.
std::string rejection(RecordForm const& form, std::string const& text) {
  try {
    (void)read(form, text);
  } catch (zeroth::InvalidFile const& error) {
    std::string const message = error.what();
    return message.substr(message.rfind("/f:") + 1);
  }
  return "accepted";
}

}  // namespace

TEST_CASE("tab separated: columns by name, in any order, quotes are text") {
  RecordForm const form = table(DataFormat::tsv, {"b", "a"});
  CHECK(read(form, "a\tc\tb\n1\t2\t\"3\"\r\n\n \t \n4\t\t6") == Words{"2.0 <\"3\"> <1>", "5.0 <6> <4>"});
  CHECK(read(replacing(form),
             "\xEF\xBB\xBF"
             "a\tb\nx\xFF\ty\n") == Words{"2.0 <y> <x\xEF\xBF\xBD>"});
  CHECK(read(table(DataFormat::tsv, {"b"}, {"a", "b"}), "1\t2\n") == Words{"1.0 <2>"});
}

TEST_CASE("the first of several names that a header has is the column") {
  RecordForm form = table(DataFormat::tsv, {"x"});
  form.fields[0].places = {"sentence", "content"};
  CHECK(read(form, "content\n1\n") == Words{"2.0 <1>"});
  CHECK(read(form, "content\tsentence\n1\t2\n") == Words{"2.0 <2>"});
  CHECK(rejection(form, "text\tlabel\n1\t2\n") ==
        "f:1: header: expected a column \"sentence\" or \"content\", found \"text, label\"");
}

TEST_CASE("comma separated: quoted fields hold commas, quotes and line ends") {
  RecordForm const form = table(DataFormat::csv, {"a", "b"});
  CHECK(read(form, "a,b\n1,2\n") == Words{"2.0 <1> <2>"});
  CHECK(read(form, "b,a\r\n\"x, \"\"y\"\"\",2\r\n") == Words{"2.0 <2> <x, \"y\">"});
  CHECK(read(form, "a,b\n\"one\r\ntwo\n\",\"\"\n3,4") == Words{"2.0 <one\r\ntwo\n> <>", "5.0 <3> <4>"});
  CHECK(read(form, "\"a\",\"b\"\n,\n\n \n5,\n") == Words{"2.0 <> <>", "5.0 <5> <>"});
  CHECK(read(replacing(table(DataFormat::csv, {"x"}, {"x", "y"})), "\"\xC3\",2") == Words{"1.0 <\xEF\xBF\xBD>"});
  CHECK(read(form,
             "\xEF\xBB\xBF"
             "a,b\n1,2") == Words{"2.0 <1> <2>"});
}

TEST_CASE("a table with a bad row or header is rejected with file and line") {
  RecordForm const tsv = table(DataFormat::tsv, {"a"});
  RecordForm const csv = table(DataFormat::csv, {"a"});
  CHECK(rejection(tsv, "") == "f: expected a header and rows, found an empty file");
  CHECK(rejection(tsv, "a\tb\n1\n") == "f:2: expected 2 fields separated by tabs, found 1");
  CHECK(rejection(tsv, "b\n") == "f:1: header: expected a column \"a\", found \"b\"");
  CHECK(rejection(tsv, "a\ta\n1\t2\n") == "f:1: header: expected one column \"a\", found several");
  CHECK(rejection(csv, "a,b\n\"1\n2\",3\n4\n") == "f:4: expected 2 fields separated by commas, found 1");
  CHECK(rejection(csv, "a\n1\n\"2\n3\n") == "f:3: expected a closing quote, found the end of the file");
  CHECK(rejection(csv, "a\n\"1\"2\n") ==
        "f:2: expected a comma or the end of the line after a quoted field, found \"2\"");
  CHECK(rejection(csv, "a\n1\"2\n") ==
        "f:2: expected a field with a quote in it to be in quotes itself, found \"1\"2\"");
  CHECK(rejection(table(DataFormat::csv, {"a"}, {"a", "b"}), "1\n") ==
        "f:1: expected 2 fields separated by commas, found 1");
}

TEST_CASE("JSON lines: strings as they are, other scalars as JSON writes them") {
  CHECK(
      read(json({"a", "b.c"}), "{\"b\": {\"c\": true}, \"a\": \"caf\\u00e9\"}\n\n{\"a\": 3, \"b\": {\"c\": 0.5}}\n") ==
      Words{"1.0 <caf\xC3\xA9> <true>", "3.0 <3> <0.5>"});
  RecordForm form = json({"x"});
  form.fields[0].paths = {JsonPath("a.b"), JsonPath("c")};
  CHECK(read(form, "{\"c\": 1}\n{\"c\": 1, \"a\": {\"b\": 2}}") == Words{"1.0 <1>", "2.0 <2>"});
  CHECK(rejection(form, "{}") == "f:1: a.b or c: expected a string, number or boolean, found no such field");
}

TEST_CASE("the innermost objects of nested lists are examples that see what lies around them") {
  std::string const line =
      R"({"p": {"t": "T", "q": [{"t": "q0", "a": [{"t": "a0"}, {"t": "a1"}]}, {"t": "q1", "a": []},)"
      R"( {"t": "q2", "a": [{"t": "a2"}]}]}})";
  CHECK(read(json({"p.t", "p.q[].t", "p.q[].a[].t"}, "p.q[].a[]"), "\n" + line) ==
        Words{"2.0 <T> <q0> <a0>", "2.1 <T> <q0> <a1>", "2.2 <T> <q2> <a2>"});
  CHECK(read(json({"p.t", "p.q[].t"}, "p.q[]"), line) == Words{"1.0 <T> <q0>", "1.1 <T> <q1>", "1.2 <T> <q2>"});
  CHECK(read(json({"n[]"}, "n[]"), R"({"n": ["x", 2]})") == Words{"1.0 <x>", "1.1 <2>"});
}

TEST_CASE("candidates may be a list of the example") {
  RecordForm form = json({"q"});
  form.list = JsonPath("choices[]");
  CHECK(read(form, R"({"q": 1, "choices": ["a", 2, true]})") == Words{"1.0 <1> [a] [2] [true]"});
  form.list = JsonPath("c.all[].text");
  CHECK(read(form, R"({"q": 1, "c": {"all": [{"text": "a"}, {"text": "b"}]}})") == Words{"1.0 <1> [a] [b]"});
  CHECK(rejection(form, R"({"q": 1, "c": {"all": []}})") ==
        "f:1: c.all[].text: expected an array of at least one candidate, found an empty one");
  CHECK(rejection(form, R"({"q": 1, "c": 3})") ==
        "f:1: c.all[].text: expected an array of at least one candidate, found no such field");
  CHECK(rejection(form, R"({"q": 1, "c": {"all": [{"text": "a"}, {}]}})") ==
        "f:1: c.all[1].text: expected a string, number or boolean, found no such field");
  form = json({"l[].q"}, "l[]");
  form.list = JsonPath("l[].c[]");
  CHECK(read(form, R"({"l": [{"q": 1, "c": ["a"]}, {"q": 2, "c": ["b", "c"]}]})") ==
        Words{"1.0 <1> [a]", "1.1 <2> [b] [c]"});
}

TEST_CASE("a line of JSON that is not as it should be is rejected with the place in it") {
  RecordForm const nested = json({"p.q[].t"}, "p.q[]");
  CHECK(rejection(json({"a"}), "{\"a\": 1}\n{\"a\": ") ==
        "f:2: parse error at column 7: expected a value, found the end of the text");
  CHECK(rejection(json({"a"}), "[1]") == "f:1: expected a JSON object, found [1]");
  CHECK(rejection(json({"a"}), "{\"a\": null}") == "f:1: a: expected a string, number or boolean, found null");
  CHECK(rejection(json({"a"}), "{\"a\": [1]}") == "f:1: a: expected a string, number or boolean, found array");
  CHECK(rejection(json({"a.b"}), "{\"a\": 1}") ==
        "f:1: a.b: expected a string, number or boolean, found no such field");
  CHECK(rejection(nested, R"({"p": {}})") == "f:1: p.q[]: expected an array, found no such field");
  CHECK(rejection(nested, R"({"p": {"q": "x"}})") == "f:1: p.q[]: expected an array, found \"x\"");
  CHECK(rejection(nested, R"({"p": {"q": [{"t": 1}, {"u": 1}]}})") ==
        "f:1: p.q[1].t: expected a string, number or boolean, found no such field");
  CHECK(rejection(json({"a"}), std::string(100'000, '[')) == "f:1: expected values nested at most 64 deep");
}

TEST_CASE("a line that is not JSON is rejected with what is wrong and in which column") {
  auto const second = [](std::string const& line) { return rejection(json({"a"}), "{\"a\": 1}\n" + line + "\n"); };
  CHECK(second(R"({"a": "abc", "x": NaN})") ==
        "f:2: parse error at column 19: expected JSON, which has finite numbers only, found NaN");
  CHECK(second(R"({"a": 1,})") == "f:2: parse error at column 9: expected a key in double quotes, found '}'");
  CHECK(second(R"({"a": [1,]})") == "f:2: parse error at column 10: expected a value, found ']'");
  CHECK(second(R"({"a": "\ud83d"})") ==
        "f:2: parse error at column 14: expected both halves of a surrogate pair, found a string with one");
  CHECK(second(R"({"a": 1} {"a": 2})") == "f:2: parse error at column 10: expected the end of the text, found '{'");
  CHECK(second(R"({"a": 1, "a": 2})") == "f:2: key 'a': expected once, found twice");
  CHECK(second("{'a': 1}") == "f:2: parse error at column 2: expected a key in double quotes, found \"'a'\"");
  CHECK(second(std::string("{\"a\": 1}") + '\0') ==
        "f:2: expected text in UTF-8, found the byte 0x00 as number 9 of the line");
  CHECK(second("{\"a\": \"" + std::string(most_json_line_bytes, 'x') + "\"}") ==
        "f:2: expected a line of at most 16777216 bytes, found 16777225");
  RecordForm form = json({"a"});
  form.list = JsonPath("c[]");
  std::string line = "{\"a\": 1, \"c\": [0";
  for (int i = 0; i < 1000; ++i) line += ",1";
  CHECK(rejection(form, line + "]}") == "f:1: c[]: expected at most 1000 candidates, found 1001");
}

TEST_CASE("text that is not UTF-8 is rejected in every format, with file and line") {
  std::vector<RecordForm> const forms = {table(DataFormat::tsv, {"a"}), table(DataFormat::csv, {"a"}), json({"a"}),
                                         table(DataFormat::lines, {"line"})};
  auto const wide = [](std::string const& text, bool little, std::string const& mark) {
    std::string result = mark;
    for (char c : text) result += little ? std::string{c, '\0'} : std::string{'\0', c};
    return result;
  };
  std::string const text = "a\nsome words\n{\"a\": 1}\n";
  for (RecordForm const& plain : forms) {
    for (RecordForm const& form : {plain, replacing(plain)}) {
      INFO(static_cast<int>(form.format) << form.replaces_invalid_utf8);
      CHECK(rejection(form, wide(text, true, "\xFF\xFE")) == "f: expected text in UTF-8, found UTF-16, little-endian");
      CHECK(rejection(form, wide(text, false, "\xFE\xFF")) == "f: expected text in UTF-8, found UTF-16, big-endian");
      CHECK(rejection(form, wide(text, true, "")) == "f: expected text in UTF-8, found UTF-16, little-endian");
      CHECK(rejection(form, wide(text, false, "")) == "f: expected text in UTF-8, found UTF-16, big-endian");
      CHECK(rejection(form, text + std::string(1, '\0')) ==
            "f:4: expected text in UTF-8, found the byte 0x00 as number 1 of the line");
    }
    CHECK(
        rejection(plain, "{\"a\": 1}\ncaf\xe9\n") ==
        "f:2: expected text in UTF-8 (or \"invalid_utf8\": \"replace\" in the task, which puts U+FFFD), found the byte "
        "0xe9 as number 4 of the line");
  }
  CHECK(read(replacing(table(DataFormat::lines, {"line"})), "caf\xe9\n") == Words{"1.0 <caf\xEF\xBF\xBD>"});
  CHECK(read(replacing(json({"a"})), "{\"a\": \"caf\xe9\"}\n") == Words{"1.0 <caf\xEF\xBF\xBD>"});
}

TEST_CASE("lines that end in CR only are rejected in every format") {
  std::string const what = "expected lines that end in LF or CRLF, found CR only";
  CHECK(rejection(table(DataFormat::tsv, {"a"}), "a\tb\r1\t2\r") == "f: " + what);
  CHECK(rejection(table(DataFormat::lines, {"line"}), "one\rtwo\r") == "f: " + what);
  CHECK(rejection(json({"a"}), "{\"a\": 1}\r{\"a\": 2}\r") == "f: " + what);
  RecordForm const csv = table(DataFormat::csv, {"a"});
  CHECK(rejection(csv, "a,b\r1,2\r") == "f:1: expected a line to end in LF or CRLF, found CR only");
  CHECK(rejection(csv, "a,b\n1,2\r3,4\n") == "f:2: expected a line to end in LF or CRLF, found CR only");
  CHECK(rejection(csv, "\"a\",\"b\"\r\"1\",\"2\"\r") == "f:1: expected a line to end in LF or CRLF, found CR only");
  CHECK(read(csv, "a,b\n\"1\r2\",3\n") == Words{"2.0 <1\r2>"});
  CHECK(read(table(DataFormat::lines, {"line"}), "one\rmore\n") == Words{"1.0 <one\rmore>"});
}

TEST_CASE("a byte order mark is left out in every format") {
  std::string const mark = "\xEF\xBB\xBF";
  CHECK(read(table(DataFormat::tsv, {"a"}), mark + "a\n1\n") == Words{"2.0 <1>"});
  CHECK(read(table(DataFormat::csv, {"a"}), mark + "a\n1\n") == Words{"2.0 <1>"});
  CHECK(read(table(DataFormat::csv, {"a"}), mark + "\"a\"\n1\n") == Words{"2.0 <1>"});
  CHECK(read(json({"a"}), mark + "{\"a\": 1}\n") == Words{"1.0 <1>"});
  CHECK(read(table(DataFormat::lines, {"line"}), mark + "one\n") == Words{"1.0 <one>"});
}

TEST_CASE("data that is no regular file is rejected and not waited for") {
  TemporaryDirectory const directory;
  RecordForm const form = table(DataFormat::lines, {"line"});
  auto const rejection_of = [&](std::filesystem::path const& path) -> std::string {
    try {
      (void)read_records(path, form, [](Record const&) {});
    } catch (zeroth::InvalidFile const& error) {
      return error.what();
    }
    return "accepted";
  };
  std::filesystem::path const pipe = directory.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(rejection_of(pipe) == pipe.string() + ": expected a regular file, found a pipe");
  CHECK(rejection_of("/dev/zero") == "/dev/zero: expected a regular file, found a device");
  CHECK(rejection_of(directory.path()) == directory.path().string() + ": expected a regular file, found a directory");
  CHECK(rejection_of(directory.path() / "none") ==
        (directory.path() / "none").string() + ": cannot be read: No such file or directory");
}

TEST_CASE("a table has a bound on its columns, and a row may have too many cells") {
  RecordForm const form = table(DataFormat::csv, {"a"});
  CHECK(read(form, "a" + std::string(65535, ',') + "\n1" + std::string(65535, ',') + "\n") == Words{"2.0 <1>"});
  CHECK(rejection(form, "a" + std::string(65536, ',') + "\n") ==
        "f:1: header: expected at most 65536 columns, found more");
  CHECK(rejection(form, "a,b\n1" + std::string(100000, ',') + "\n") ==
        "f:2: expected 2 fields separated by commas, found 100001");
}

TEST_CASE("plain lines are examples, blank ones are not") {
  CHECK(read(table(DataFormat::lines, {"line"}), "\xEF\xBB\xBFone \n\n \ntwo\r\n") == Words{"1.0 <one >", "4.0 <two>"});
}

TEST_CASE("a path of JSON keys is read, compared and written with element numbers") {
  JsonPath const path("a.b[].c[].d");
  CHECK(path.lists() == 2);
  CHECK_FALSE(path.is_list());
  CHECK(JsonPath("a[]").is_list());
  CHECK(path.text() == "a.b[].c[].d");
  std::vector<std::size_t> const elements{3, 0};
  CHECK(path.text(elements) == "a.b[3].c[0].d");
  CHECK(path.shares_lists(JsonPath("a.b[].x"), 1));
  CHECK_FALSE(path.shares_lists(JsonPath("a.b[].x"), 2));
  CHECK_FALSE(path.shares_lists(JsonPath("a.x[]"), 1));
  for (char const* bad : {"", ".", "a.", ".a", "a..b", "[]", "a[", "a[]b", "a[0]", "a[][]"})
    CHECK_THROWS_AS(JsonPath(bad), zeroth::InvalidArgument);
}
