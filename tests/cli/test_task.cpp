// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>

#include "../../cli/tasks/builtin_tasks.hpp"
#include "../../cli/tasks/task.hpp"
#include "catch.hpp"
#include "files.hpp"

using namespace zeroth::cli;
using nlohmann::ordered_json;

namespace {

/// A task with every key of a classification that can be combined.
ordered_json const& good() {
  static ordered_json const task = ordered_json::parse(R"({
    "description": "d", "folder": "F", "files": {"train": "t", "held_out": "h"}, "format": "jsonl",
    "examples": "p.q[]", "fields": {"x": "p.x", "y": {"from": ["p.q[].y", "p.z"], "values": {"1": "one"}}},
    "prompt": "{x} {y}", "candidates": ["a", "{p.w}"], "label": {"field": "p.q[].l", "values": {"u": 0, "v": 1}},
    "metric": {"name": "f1", "positive": 1}, "score": {"against": "{y}"}, "shared_beginning": "candidate"})");
  return task;
}

/// The message of parse_task about the good task with the value at the pointer replaced by `value` (JSON); an empty
/// value removes it.
std::string rejection(std::string const& pointer, std::string const& value, ordered_json task = good()) {
  ordered_json::json_pointer const place(pointer);
  if (value.empty())
    task.at(place.parent_pointer()).erase(place.back());
  else
    task[place] = ordered_json::parse(value);
  try {
    (void)parse_task(task.dump(), "f.json");
  } catch (zeroth::InvalidFile const& error) {
    return error.what();
  }
  return "accepted";
}

std::string rejection_of_text(std::string const& text) {
  try {
    (void)parse_task(text, "f.json");
  } catch (zeroth::InvalidFile const& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a task file is read key by key") {
  Task const task = parse_task(good().dump(), "f.json");
  CHECK(task.description == "d");
  CHECK(task.folder == "F");
  CHECK(task.train == "t");
  CHECK(task.held_out == "h");
  CHECK(task.form.format == DataFormat::jsonl);
  CHECK(task.form.examples->text() == "p.q[]");
  REQUIRE(task.form.fields.size() == 4);
  CHECK(task.form.fields[1].places == std::vector<std::string>{"p.q[].y", "p.z"});
  CHECK(task.form.fields[2].name == "p.w");
  CHECK(task.candidates.size() == 2);
  CHECK_FALSE(task.has_fixed_candidates());
  CHECK(task.label.field == 3);
  CHECK(task.label.values.size() == 2);
  CHECK(task.metric == Metric{Metric::Kind::f1, 1});
  CHECK(task.scoring.candidate == zeroth::model::CandidateScore::against_neutral);
  CHECK(task.neutral.has_value());
  CHECK(task.candidates_own_shared_beginning);
  CHECK_FALSE(task.is_text());
}

TEST_CASE("what a task file leaves out has a default") {
  Task const task = parse_task(
      R"({"files": {"all": "x"}, "split": {"held_out_share": 0.5}, "format": "tsv", "prompt": "{a}",
          "candidates": ["b", "c"], "label": {"field": "l"}})",
      "f.json");
  CHECK(task.folder.empty());
  CHECK(task.split.seed == default_split_seed);
  CHECK_FALSE(task.split.at_most.has_value());
  CHECK_FALSE(task.split.balanced);
  CHECK(task.metric == Metric{});
  CHECK(task.scoring == zeroth::model::ScoringOptions{});
  CHECK(task.label.values.empty());
  CHECK(task.has_fixed_candidates());
}

TEST_CASE("every built-in task is one that parse_task accepts") {
  CHECK(builtin_task_names() == "sst2, rte, wic, copa, multirc, boolq, movie-reviews, text");
  for (BuiltinTask const& task : builtin_tasks()) {
    INFO(task.name);
    CHECK_FALSE(find_task(std::string(task.name)).description.empty());
  }
  CHECK(find_task("text").is_text());
  CHECK(find_task("text").metric.kind == Metric::Kind::loss);
}

TEST_CASE("a key of a task file that is unknown, missing or of the wrong type is rejected by its place") {
  CHECK(rejection("/promt", "1") ==
        "f.json: key 'promt': expected one of the keys description, folder, files, split, format, columns, examples, "
        "fields, "
        "prompt, candidates, label, metric, score, shared_beginning, text, invalid_utf8, found a key that is none");
  CHECK(rejection("/description", "1") == "f.json: key 'description': expected a string, found 1");
  CHECK(rejection("/folder", "null") == "accepted");
  CHECK(rejection("/format", "null") == "f.json: key 'format': expected one of tsv, csv, jsonl, lines, found null");
  std::string const files = "expected an object with \"held_out\" and \"train\", or with \"all\"";
  CHECK(rejection("/files", "") == "f.json: key 'files': " + files + ", found none");
  CHECK(rejection("/files", "3") == "f.json: key 'files': expected an object, found 3");
  CHECK(rejection("/files/dev", "3") ==
        "f.json: key 'files.dev': expected one of the keys train, held_out, all, found a key that is none");
  CHECK(rejection("/files/held_out", "") == "f.json: key 'files.held_out': expected the name of a file, found none");
  CHECK(rejection("/files/train", "\"\"") == "f.json: key 'files.train': expected the name of a file, found \"\"");
  CHECK(rejection("/files/train", "") == "accepted");
  CHECK(rejection("/format", "") == "f.json: key 'format': expected one of tsv, csv, jsonl, lines, found none");
  CHECK(rejection("/format", "\"xml\"") ==
        "f.json: key 'format': expected one of tsv, csv, jsonl, lines, found \"xml\"");
  CHECK(rejection("/prompt", "") == "f.json: key 'prompt': expected a string, found none");
  CHECK(rejection("/prompt", "[]") == "f.json: key 'prompt': expected a string, found []");
  CHECK(rejection("/candidates", "") ==
        "f.json: key 'candidates': expected an array of texts or an object with \"list\" and \"text\", found none");
  CHECK(rejection("/label", "") == "f.json: key 'label': expected an object with \"field\", found none");
  CHECK(rejection("/label", "\"l\"") == "f.json: key 'label': expected an object, found \"l\"");
  CHECK(rejection("/shared_beginning", "\"both\"") ==
        "f.json: key 'shared_beginning': expected prompt or candidate, found \"both\"");
  CHECK(rejection_of_text("[1]") == "f.json: expected an object, found [1]");
}

TEST_CASE("a task file names no files outside of the folder of the data") {
  std::string const expected = "expected a path within the folder of --data, not absolute and without \"..\"";
  for (std::string const bad : {"/etc/passwd", "../t", "a/../../t", ".."}) {
    INFO(bad);
    for (std::string const key : {"files.train", "files.held_out", "folder"}) {
      std::string const pointer = key == "folder" ? "/folder" : "/files/" + key.substr(6);
      CHECK(rejection(pointer, "\"" + bad + "\"") ==
            "f.json: key '" + key + "': " + expected + ", found \"" + bad + "\"");
    }
  }
  ordered_json all = good();
  all["files"] = {{"all", "x"}};
  all["split"] = {{"held_out_share", 0.5}};
  CHECK(rejection("/files/all", "\"/dev/stdin\"", all) ==
        "f.json: key 'files.all': " + expected + ", found \"/dev/stdin\"");
  CHECK(rejection("/files/all", R"("a\u0000b")", all) == "f.json: key 'files.all': " + expected + ", found \"a?b\"");
  CHECK(rejection("/files/all", "\"inner/./..a/x..\"", all) == "accepted");
}

TEST_CASE("a task file has bounds on what it asks for") {
  ordered_json fields = ordered_json::object();
  std::string prompt;
  for (int i = 0; i < 1001; ++i) {
    fields["f" + std::to_string(i)] = "p.x";
    prompt += "{" + std::to_string(i) + "}";
  }
  CHECK(rejection("/fields", fields.dump()) == "f.json: key 'fields': expected at most 1000 fields, found 1001");
  CHECK(rejection("/prompt", "\"" + prompt + "\"") ==
        "f.json: key 'prompt': expected at most 1000 fields in a task, found more");
  CHECK(rejection("/fields/x", ordered_json(std::vector<std::string>(65, "p.x")).dump()) ==
        "f.json: key 'fields.x': expected at most 64 elements, found 65");
  CHECK(rejection("/candidates", ordered_json(std::vector<std::string>(1001, "c")).dump()) ==
        "f.json: key 'candidates': expected 2 to 1000 candidates, found 1001");
  std::string path = "a";
  for (int i = 0; i < 64; ++i) path += ".a";
  CHECK(rejection("/fields/x", "\"" + path + "\"") ==
        "f.json: key 'fields.x': expected at most 64 keys joined by dots, found more");
  ordered_json ranges = good();
  ranges["label"] = {{"field", "x"}};
  CHECK(rejection("/label/ranges", ordered_json(std::vector<int>(1001)).dump(), ranges) ==
        "f.json: key 'label.ranges': expected at most 1000 elements, found 1001");
  // Lists in messages are shortened too.
  ordered_json table = ordered_json::parse(
      R"({"files": {"held_out": "h"}, "format": "csv", "columns": [], "prompt": "{b}",
          "candidates": ["b", "c"], "label": {"field": "l"}})");
  for (int i = 0; i < 5000; ++i) table["columns"].push_back("column " + std::to_string(i));
  std::string const message = rejection("/description", "\"\"", table);
  CHECK(message.starts_with("f.json: key 'prompt': expected one of the columns column 0, column 1, "));
  CHECK(message.ends_with("..., found \"b\""));
  CHECK(message.size() < 300);
}

TEST_CASE("a task file says what becomes of bytes that are not UTF-8") {
  CHECK_FALSE(parse_task(good().dump(), "f.json").form.replaces_invalid_utf8);
  ordered_json replaces = good();
  replaces["invalid_utf8"] = "replace";
  CHECK(parse_task(replaces.dump(), "f.json").form.replaces_invalid_utf8);
  CHECK(rejection("/invalid_utf8", "\"refuse\"") == "accepted");
  CHECK(rejection("/invalid_utf8", "\"ignore\"") ==
        "f.json: key 'invalid_utf8': expected refuse or replace, found \"ignore\"");
}

TEST_CASE("the split of a task file is there only with files.all, and in range") {
  ordered_json all = good();
  all["files"] = {{"all", "x"}};
  CHECK(rejection("/split", R"({"held_out_share": 0.5})") ==
        "f.json: key 'split': expected no such key without files.all, found {\"held_out_share\":0.5}");
  CHECK(rejection("/description", "\"\"", all) ==
        "f.json: key 'split': expected an object that says how files.all is divided, found none");
  CHECK(rejection("/split", R"({"held_out_share": 0.5, "at_most": 7, "balanced": true, "seed": 1})", all) ==
        "accepted");
  CHECK(rejection("/split", "{}", all) ==
        "f.json: key 'split.held_out_share': expected a number above 0 and below 1, found none");
  for (char const* bad : {"0", "1", "-0.5"})
    CHECK(rejection("/split", R"({"held_out_share": )" + std::string(bad) + "}", all) ==
          "f.json: key 'split.held_out_share': expected a number above 0 and below 1, found " + std::string(bad));
  CHECK(rejection("/split", R"({"held_out_share": "0.5"})", all) ==
        "f.json: key 'split.held_out_share': expected a number, found \"0.5\"");
  CHECK(rejection("/split", R"({"held_out_share": 0.5, "at_most": 0})", all) ==
        "f.json: key 'split.at_most': expected a whole number from 1 to 18446744073709551615, found 0");
  CHECK(rejection("/split", R"({"held_out_share": 0.5, "balanced": 1})", all) ==
        "f.json: key 'split.balanced': expected true or false, found 1");
  CHECK(rejection("/split", R"({"held_out_share": 0.5, "seed": -1})", all) ==
        "f.json: key 'split.seed': expected a whole number from 0 to 18446744073709551615, found -1");
  CHECK(rejection("/split", R"({"held_out_share": 0.5, "sed": 1})", all) ==
        "f.json: key 'split.sed': expected one of the keys held_out_share, at_most, balanced, seed, found a key that "
        "is none");
  all["files"]["train"] = "t";
  CHECK(rejection("/split", R"({"held_out_share": 0.5})", all) ==
        "f.json: key 'files.train': expected no such key with \"all\", found \"t\"");
}

TEST_CASE("fields of a task file have places that its format can have") {
  CHECK(rejection("/fields", "{}") == "f.json: key 'fields': expected an object with a key for each field, found {}");
  CHECK(rejection("/fields/x", "1") ==
        "f.json: key 'fields.x': expected a place, an array of places or an object with \"from\", found 1");
  CHECK(rejection("/fields/x", "[]") ==
        "f.json: key 'fields.x': expected a place, an array of places or an object with \"from\", found []");
  CHECK(rejection("/fields/x", R"(["p.x", 1])") == "f.json: key 'fields.x[1]': expected a string, found 1");
  CHECK(rejection("/fields/x", "{}") ==
        "f.json: key 'fields.x.from': expected a place or an array of places, found none");
  CHECK(rejection("/fields/x", R"({"from": "p.x", "value": {}})") ==
        "f.json: key 'fields.x.value': expected one of the keys from, values, may_be_blank, found a key that is none");
  CHECK(rejection("/fields/x", R"({"from": "p.x", "values": {}})") ==
        "f.json: key 'fields.x.values': expected an object with a text for each value, found {}");
  CHECK(rejection("/fields/x", R"({"from": "p.x", "values": {"1": 1}})") ==
        "f.json: key 'fields.x.values.1': expected a string, found 1");
  CHECK(rejection("/fields/x", R"({"from": "p.x", "may_be_blank": "yes"})") ==
        "f.json: key 'fields.x.may_be_blank': expected true or false, found \"yes\"");
  CHECK(rejection("/fields/a{b", "\"p.x\"") ==
        "f.json: key 'fields.a{b': expected the name of a field to be at least one character, none of them {, } and |, "
        "found \"a{b\"");
  CHECK(rejection("/fields/x", "\"p..x\"") ==
        "f.json: key 'fields.x': expected keys joined by dots, each with or without \"[]\", found \"p..x\"");
  CHECK(rejection("/fields/x", "\"p.r[].x\"") ==
        "f.json: key 'fields.x': expected \"[]\" in the path of a field only as in the key \"examples\", found "
        "\"p.r[].x\"");
  CHECK(rejection("/examples", "\"p.q\"") ==
        "f.json: key 'examples': expected a path that ends in \"[]\", found \"p.q\"");
  CHECK(rejection("/columns", R"(["a"])") ==
        "f.json: key 'columns': expected no such key with a format other than tsv and csv, found [\"a\"]");

  ordered_json table = ordered_json::parse(
      R"({"files": {"held_out": "h"}, "format": "csv", "columns": ["a", "l"], "prompt": "{a}",
          "candidates": ["b", "c"], "label": {"field": "l"}})");
  CHECK(rejection("/description", "\"\"", table) == "accepted");
  CHECK(rejection("/columns", "[]", table) ==
        "f.json: key 'columns': expected an array with the names of the columns, found []");
  CHECK(rejection("/columns", R"(["a", "a"])", table) ==
        "f.json: key 'columns[1]': expected a name that differs from those before, found \"a\"");
  CHECK(rejection("/prompt", "\"{b}\"", table) ==
        "f.json: key 'prompt': expected one of the columns a, l, found \"b\"");
  CHECK(rejection("/label/field", "\"m\"", table) ==
        "f.json: key 'label.field': expected one of the columns a, l, found \"m\"");
  CHECK(rejection("/fields", R"({"x": "b"})", table) ==
        "f.json: key 'fields.x': expected one of the columns a, l, found \"b\"");
  CHECK(rejection("/examples", "\"a[]\"", table) ==
        "f.json: key 'examples': expected no such key with a format other than jsonl, found \"a[]\"");
}

TEST_CASE("templates, candidates and labels of a task file are checked") {
  CHECK(rejection("/prompt", "\"{x\"") ==
        "f.json: key 'prompt': expected \"{field}\", or \"{{\" for a brace, found \"{x\"");
  CHECK(rejection("/prompt", "\"{x|trim}\"") ==
        "f.json: key 'prompt': expected one of the filters strip, lower, upper_first, lower_first_word, drop_period, "
        "add_question_mark, found \"trim\"");
  CHECK(rejection("/candidates", R"(["a"])") == "f.json: key 'candidates': expected 2 to 1000 candidates, found 1");
  CHECK(rejection("/candidates", R"(["a", ""])") ==
        "f.json: key 'candidates[1]': expected at least one character, found \"\"");
  CHECK(rejection("/candidates", R"(["a", "b", "a"])") ==
        "f.json: key 'candidates[2]': expected a text that differs from those before, found \"a\"");
  CHECK(rejection("/candidates", R"(["a", 1])") == "f.json: key 'candidates[1]': expected a string, found 1");
  CHECK(rejection("/candidates", R"({"list": "p.q[].c[]", "text": " {candidate}"})") == "accepted");
  CHECK(rejection("/candidates", R"({"list": "p.c[]", "text": " {candidate}"})") == "accepted");
  for (std::string const list : {"p.q[]", "p.q[].c"})
    CHECK(
        rejection("/candidates", R"({"list": ")" + list + R"(", "text": " {candidate}"})") ==
        "f.json: key 'candidates.list': expected another list than that of the key \"examples\", \"p.q[]\", found \"" +
            list + "\"");
  CHECK(rejection("/candidates", R"({"list": "c", "text": " {candidate}"})") ==
        "f.json: key 'candidates.list': expected a path with one \"[]\" more than it shares with the key \"examples\", "
        "found "
        "\"c\"");
  CHECK(rejection("/candidates", R"({"list": "r[].c[]", "text": " {candidate}"})") ==
        "f.json: key 'candidates.list': expected a path with one \"[]\" more than it shares with the key \"examples\", "
        "found "
        "\"r[].c[]\"");
  CHECK(rejection("/candidates", R"({"list": "c[]", "text": "x"})") ==
        "f.json: key 'candidates.text': expected a text with the field {candidate}, found \"x\"");
  CHECK(rejection("/candidates", R"({"list": "c[]"})") ==
        "f.json: key 'candidates.text': expected a string, found none");
  CHECK(rejection("/label/values/u", "2") ==
        "f.json: key 'label.values.u': expected a whole number from 0 to 1, found 2");
  CHECK(rejection("/label/values", "{}") ==
        "f.json: key 'label.values': expected an object with the index of a candidate for each value, found {}");
  CHECK(rejection("/label/field", "") == "f.json: key 'label.field': expected the name of a field, found none");
  CHECK(rejection("/label/ranges", R"([{"above": 1, "candidate": 0}])") ==
        "f.json: key 'label.ranges': expected no such key with \"values\", found [{\"above\":1,\"candidate\":0}]");
  ordered_json ranges = good();
  ranges["label"] = {{"field", "x"}};
  CHECK(rejection("/label/ranges", R"([{"above": 1, "at_most": 2, "candidate": 0}])", ranges) == "accepted");
  CHECK(rejection("/label/ranges", "[]", ranges) ==
        "f.json: key 'label.ranges': expected an array of ranges, found []");
  CHECK(rejection("/label/ranges", R"([{"candidate": 0}])", ranges) ==
        "f.json: key 'label.ranges[0]': expected at least one of the keys above, at_least, below, at_most, found none");
  CHECK(rejection("/label/ranges", R"([{"above": "1", "candidate": 0}])", ranges) ==
        "f.json: key 'label.ranges[0].above': expected a number, found \"1\"");
  CHECK(rejection("/label/ranges", R"([{"above": 1}])", ranges) ==
        "f.json: key 'label.ranges[0].candidate': expected the index of a candidate, found none");
}

TEST_CASE("metric and score of a task file are among those that there are") {
  CHECK(rejection("/metric", "\"accuracy\"") == "accepted");
  CHECK(rejection("/metric", "\"exact_match\"") == "accepted");
  CHECK(rejection("/metric", R"({"name": "exact_match", "group": "{x}"})") == "accepted");
  CHECK(rejection("/metric", "3") ==
        "f.json: key 'metric': expected one of accuracy, f1, exact_match, or an object with \"name\", found 3");
  CHECK(rejection("/metric", "\"bleu\"") ==
        "f.json: key 'metric': expected one of accuracy, f1, exact_match, found \"bleu\"");
  CHECK(rejection("/metric", "\"f1\"") ==
        "f.json: key 'metric': expected an object with \"name\" and \"positive\" for f1, which needs to know the "
        "positive "
        "candidate, found \"f1\"");
  CHECK(rejection("/metric/positive", "") ==
        "f.json: key 'metric.positive': expected the index of a candidate, found none");
  CHECK(rejection("/metric/positive", "2") ==
        "f.json: key 'metric.positive': expected a whole number from 0 to 1, found 2");
  CHECK(rejection("/metric/group", "\"{x}\"") ==
        "f.json: key 'metric.group': expected one of the keys name, positive, found a key that is none");
  CHECK(rejection("/score", "\"sum\"") == "accepted");
  CHECK(rejection("/score", "\"max\"") ==
        "f.json: key 'score': expected mean, sum or an object with \"against\", found \"max\"");
  CHECK(rejection("/score", "1") == "f.json: key 'score': expected mean, sum or an object with \"against\", found 1");
  CHECK(rejection("/score", R"({"against": 1})") == "f.json: key 'score.against': expected a string, found 1");
  CHECK(rejection("/score", R"({"agains": ""})") ==
        "f.json: key 'score.agains': expected one of the keys against, found a key that is none");
}

TEST_CASE("a text to model has no prompt, candidates, label, metric and score") {
  ordered_json text = ordered_json::parse(R"({"files": {"held_out": "h"}, "format": "lines", "text": "{line}"})");
  CHECK(rejection("/description", "\"\"", text) == "accepted");
  CHECK(rejection("/text", "\"{word}\"", text) ==
        "f.json: key 'text': expected the field \"line\", the only one of the format lines, found \"word\"");
  for (char const* key : {"prompt", "candidates", "label", "metric", "score", "shared_beginning"})
    CHECK(rejection("/" + std::string(key), "3", text) ==
          "f.json: key '" + std::string(key) + "': expected no such key in a task with the key \"text\", found 3");
}

TEST_CASE("a task file with a syntax error or a key twice is rejected with its place") {
  CHECK(rejection_of_text("{\n  \"format\": tsv\n}") ==
        "f.json: parse error at line 2, column 13: expected a value, found \"tsv\"");
  CHECK(rejection_of_text("") ==
        "f.json: parse error at line 1, column 1: expected a value, found the end of the text");
  CHECK(rejection_of_text("{\"folder\": \"a\", \"folder\": \"b\"}") ==
        "f.json: key 'folder': expected once, found twice");
  CHECK(rejection_of_text(std::string(100'000, '[')) == "f.json: expected values nested at most 64 deep");
  CHECK(rejection_of_text(std::string("{\0\"\0a\0", 7) + std::string(20, '\0')) ==
        "f.json: expected JSON, found a zero byte at offset 1");
}

TEST_CASE("a task is a name or a file that ends in .json") {
  zeroth_test::TemporaryDirectory const directory;
  CHECK(find_task(write_file(directory, "t.json", good().dump()).string()).folder == "F");
  std::string const huge = write_file(directory, "huge.json", std::string(2'000'000, ' ')).string();
  CHECK_THROWS_WITH(find_task(huge), huge + ": expected at most 1048576 bytes of JSON, found 2000000");
  CHECK_THROWS_AS(find_task("no/such.json"), zeroth::InvalidFile);
  CHECK_THROWS_WITH(find_task("sst3"),
                    "--task: expected one of sst2, rte, wic, copa, multirc, boolq, movie-reviews, "
                    "text, or a file that ends in .json, found \"sst3\"");
}
