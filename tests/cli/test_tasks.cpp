// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>

#include "../../cli/tasks/tasks.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "paths.hpp"

using namespace zeroth::cli;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

namespace {

std::string const header = "label\tsentence\n";

std::vector<std::string> prompts(std::vector<TextExample> const& examples) {
  std::vector<std::string> sorted;
  for (TextExample const& example : examples) sorted.push_back(example.prompt);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

TaskData load(std::string const& task, std::filesystem::path const& directory) {
  return load_task(find_task(task), directory);
}

/// A task in a file of its own, with the file data.jsonl or data.csv next to it, and its examples.
TaskData load_own(std::string const& json, std::string const& data) {
  TemporaryDirectory const directory;
  write_file(directory, "data", data);
  return load_task(parse_task(json, "own.json"), directory.path());
}

/// The message of load_own.
std::string rejection_of_own(std::string const& json, std::string const& data) {
  try {
    (void)load_own(json, data);
  } catch (zeroth::InvalidFile const& error) {
    std::string const message = error.what();
    return message.substr(message.rfind("/data") + 1);
  }
  return "accepted";
}

/// FNV-1a of all examples, in their order.
std::uint64_t fingerprint(TaskData const& data) {
  std::uint64_t hash = 0xcbf29ce484222325;
  auto add = [&](std::string const& text) {
    for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  };
  for (auto const* examples : {&data.held_out, &data.train}) {
    for (TextExample const& example : *examples) {
      add(example.prompt);
      for (std::string const& candidate : candidates_of(example, data)) add('|' + candidate);
      add('=' + std::to_string(example.label) + '\n');
    }
    add("----");
  }
  return hash;
}

/// How many examples have each label, training and held-out ones.
std::vector<std::size_t> label_counts(TaskData const& data) {
  std::vector<std::size_t> counts(4);
  for (TextExample const& example : data.train) ++counts[example.label];
  for (TextExample const& example : data.held_out) ++counts[2 + example.label];
  return counts;
}

/// The first example of its file.
TextExample first_of(std::vector<TextExample> const& examples) {
  return *std::min_element(examples.begin(), examples.end(), [](TextExample const& a, TextExample const& b) {
    return std::pair(a.line, a.element) < std::pair(b.line, b.element);
  });
}

/// The message of load_task about a task whose file `bad` has this text; the task's other file is good.
std::string rejection(std::string const& task, std::string const& bad, std::string const& text) {
  TemporaryDirectory const directory;
  write_file(directory, "SST-2/train.tsv", header + "1\tfine\n");
  write_file(directory, "SST-2/dev.tsv", header + "0\tdull\n");
  write_file(directory, "RTE/train.jsonl", R"({"premise": "a", "hypothesis": "b", "label": "entailment"})");
  write_file(directory, "RTE/val.jsonl", R"({"premise": "c", "hypothesis": "d", "label": "entailment"})");
  write_file(directory, bad, text);
  try {
    (void)load(task, directory.path());
  } catch (zeroth::InvalidFile const& error) {
    std::string message = error.what();
    std::string const root = directory.path().string() + "/";
    if (message.starts_with(root)) message.erase(0, root.size());
    return message;
  }
  return "accepted";
}

}  // namespace

TEST_CASE("sst2 is read from the folder or the one above, its text stripped, its columns found by name") {
  TemporaryDirectory const directory;
  write_file(directory, "SST-2/train.tsv", header + "1\t a fine film \n0\tdull .\r\n\n");
  write_file(directory, "SST-2/dev.tsv", "sentence\tlabel\nno wit\t0\n");
  for (auto const& path : {directory.path(), directory.path() / "SST-2"}) {
    TaskData const data = load("sst2", path);
    CHECK(data.candidates == std::vector<std::string>{" terrible", " great"});
    REQUIRE(data.train.size() == 2);
    CHECK(data.train[0].prompt == "a fine film It was");
    CHECK(data.train[0].label == 1);
    CHECK(data.train[1].prompt == "dull . It was");
    CHECK(data.train[1].label == 0);
    REQUIRE(data.held_out.size() == 1);
    CHECK(data.held_out[0].prompt == "no wit It was");
    CHECK(data.held_out[0].label == 0);
  }
}

TEST_CASE("rte is read with the prompt of MeZO, entailment first") {
  TemporaryDirectory const directory;
  write_file(directory, "RTE/train.jsonl",
             R"({"premise": "It \"rained\".", "hypothesis": "It was wet.", "label": "entailment", "idx": 0})"
             "\n"
             R"({"premise": "Caf\u00e9", "hypothesis": "Tea", "label": "not_entailment", "idx": 1})");
  write_file(directory, "RTE/val.jsonl", R"({"premise": "c", "hypothesis": "d", "label": "entailment"})");
  TaskData const data = load("rte", directory.path());
  CHECK(data.candidates == std::vector<std::string>{"Yes", "No"});
  REQUIRE(data.train.size() == 2);
  CHECK(data.train[0].prompt == "It \"rained\".\nDoes this mean that \"It was wet.\" is true? Yes or No?\n");
  CHECK(data.train[0].label == 0);
  CHECK(data.train[1].prompt == "Caf\xC3\xA9\nDoes this mean that \"Tea\" is true? Yes or No?\n");
  CHECK(data.train[1].label == 1);
}

TEST_CASE("movie reviews are positive, negative or left out, and the held-out ones are balanced and fixed") {
  TemporaryDirectory const directory;
  std::string text = "1\t0.5\tneither\r\n2\t-0.5\tneither\r\n3\t-3.25\tcaf\xE9\r\n";
  for (int i = 0; i < 40; ++i) text += std::to_string(i) + "\t2.5\tgood " + std::to_string(i) + "\r\n";
  for (int i = 0; i < 24; ++i) text += std::to_string(i) + "\t-0.51\tbad " + std::to_string(i) + "\r\n";
  write_file(directory, "movieReviewSnippets_GroundTruth.txt", text);
  TaskData const data = load("movie-reviews", directory.path());
  CHECK(data.candidates == std::vector<std::string>{" terrible", " great"});
  CHECK(data.train.size() + data.held_out.size() == 65);
  REQUIRE(data.held_out.size() == 10);  // a fifth of the 25 negative ones, twice
  for (std::size_t i = 0; i < 10; ++i) CHECK(data.held_out[i].label == i % 2);
  for (TextExample const& example : data.train) CHECK(example.label == (example.prompt.starts_with("good") ? 1U : 0U));

  std::vector<std::string> all = prompts(data.train);
  for (std::string const& prompt : prompts(data.held_out)) {
    CHECK_FALSE(std::binary_search(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(data.train.size()), prompt));
    all.push_back(prompt);
  }
  CHECK(std::count(all.begin(), all.end(), "caf\xEF\xBF\xBD It was") == 1);
  CHECK(prompts(load("movie-reviews", directory.path()).held_out) == prompts(data.held_out));
}

TEST_CASE("an example that is held out is never trained on, even if a training file holds it too") {
  TemporaryDirectory const directory;
  write_file(directory, "train.tsv", header + "1\tseen\n1\tnew\n");
  write_file(directory, "dev.tsv", header + "1\tseen\n");
  TaskData const data = load("sst2", directory.path());
  CHECK(prompts(data.train) == std::vector<std::string>{"new It was"});
}

TEST_CASE("a bad row is rejected with file, line, field, what was expected and what was found") {
  CHECK(rejection("sst2", "SST-2/train.tsv", header + "1\tfine\n2\tbad\n") ==
        "SST-2/train.tsv:3: label: expected 0 or 1, found \"2\"");
  CHECK(rejection("sst2", "SST-2/dev.tsv", header + "1\n") ==
        "SST-2/dev.tsv:2: expected 2 fields separated by tabs, found 1");
  CHECK(rejection("sst2", "SST-2/dev.tsv", header + "1\t \n") ==
        "SST-2/dev.tsv:2: sentence: expected at least one character, found none");
  CHECK(rejection("sst2", "SST-2/dev.tsv", "a\tb\n1\tfine\n") ==
        "SST-2/dev.tsv:1: header: expected a column \"sentence\" or \"content\", found \"a, b\"");
  CHECK(rejection("sst2", "SST-2/dev.tsv", header) == "SST-2/dev.tsv: expected at least one example, found none");
  CHECK(rejection("sst2", "SST-2/dev.tsv", "") == "SST-2/dev.tsv: expected a header and rows, found an empty file");
  CHECK(rejection("rte", "RTE/train.jsonl", "\n{\"premise\": \"a\"") ==
        "RTE/train.jsonl:2: parse error at column 16: expected ',' or '}', found the end of the text");
  CHECK(rejection("rte", "RTE/train.jsonl", R"({"premise": "a", "label": "entailment"})") ==
        "RTE/train.jsonl:1: hypothesis: expected a string, number or boolean, found no such field");
  CHECK(rejection("rte", "RTE/train.jsonl", R"({"premise": [], "hypothesis": "b", "label": "entailment"})") ==
        "RTE/train.jsonl:1: premise: expected a string, number or boolean, found array");
  CHECK(rejection("rte", "RTE/val.jsonl", R"({"premise": "a", "hypothesis": "b", "label": "maybe"})") ==
        "RTE/val.jsonl:1: label: expected \"entailment\" or \"not_entailment\", found \"maybe\"");
  std::string const reviews = "movieReviewSnippets_GroundTruth.txt";
  CHECK(rejection("movie-reviews", reviews, "1\t2.5\tgood\n2\tx\tbad\n") ==
        reviews + ":2: mean rating: expected a number, found \"x\"");
  CHECK(rejection("movie-reviews", reviews, "1\tnan\tgood\n") ==
        reviews + ":1: mean rating: expected a number, found \"nan\"");
  CHECK(rejection("movie-reviews", reviews, "1\t2.5\n") ==
        reviews + ":1: expected 3 fields separated by tabs, found 2");
  CHECK(rejection("movie-reviews", reviews, "1\t2.5\tgood\n2\t2\tgood too\n") ==
        reviews + ": expected at least two examples of each candidate, found 0 of candidate 0, 2 of candidate 1");
  CHECK_THAT(rejection("movie-reviews", "other", ""),
             contains_text("expected movieReviewSnippets_GroundTruth.txt or "
                           "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt, found neither"));
}

TEST_CASE("a folder that is not there, and a task of two files in one, are rejected") {
  CHECK_THROWS_WITH(load("sst2", "no/such/folder"), "no/such/folder: expected a directory, found none");
  TemporaryDirectory const directory;
  CHECK_THROWS_AS(load("sst2", write_file(directory, "train.tsv", "label\tsentence\n1\ta\n")), zeroth::InvalidFile);
  Task task = find_task("sst2");
  task.folder.clear();
  CHECK_THROWS_WITH(load_task(task, directory.path() / ""), contains_text("expected dev.tsv, found no such file"));
}

TEST_CASE("a file name that the system rejects is one that is not there") {
  TemporaryDirectory const directory;
  Task task = find_task("sst2");
  task.folder.clear();
  task.train.clear();
  task.held_out = std::string(5000, 'n');
  CHECK_THROWS_WITH(load_task(task, directory.path()),
                    directory.path().string() + ": expected " + std::string(80, 'n') + "..., found no such file");
}

TEST_CASE("a task without a training file has only held-out examples") {
  TemporaryDirectory const directory;
  write_file(directory, "dev.tsv", header + "1\tgood\n");
  Task task = find_task("sst2");
  task.train.clear();
  TaskData const data = load_task(task, directory.path());
  CHECK(data.train.empty());
  CHECK(data.held_out.size() == 1);
}

TEST_CASE("one file is divided by the share, the bound and the seed of its task, and may be given by itself") {
  TemporaryDirectory const directory;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "line " + std::to_string(i) + "\n";
  std::filesystem::path const file = write_file(directory, "my.txt", text);
  Task task = find_task("text");
  TaskData const data = load_task(task, file);
  CHECK(data.held_out.size() == 5);
  CHECK(data.train.size() == 45);
  CHECK(data.split == "5 of the 50 examples of my.txt are held out");
  std::set<std::string> seen;
  for (auto const* examples : {&data.train, &data.held_out})
    for (TextExample const& example : *examples) {
      CHECK(example.prompt.empty());
      REQUIRE(example.candidates.size() == 1);
      CHECK(example.candidates[0] == "line " + std::to_string(example.line - 1));
      seen.insert(example.candidates[0]);
    }
  CHECK(seen.size() == 50);
  auto held_out = [&] {
    std::set<std::size_t> lines;
    for (TextExample const& example : load_task(task, file).held_out) lines.insert(example.line);
    return lines;
  };
  std::set<std::size_t> const before = held_out();
  task.split.seed = 1;
  CHECK(held_out() != before);
  task.split.held_out_share = 0.58;  // 29 of 50, although 0.58 in binary is a little less
  CHECK(held_out().size() == 29);
  task.split.at_most = 7;
  CHECK(held_out().size() == 7);
  CHECK_THROWS_WITH(load_task(task, write_file(directory, "one.txt", "a\n")),
                    contains_text("one.txt: expected at least two examples to divide, found one"));
}

TEST_CASE("copa's candidates are the example's, and its prompt ends in the word that connects them") {
  TemporaryDirectory const directory;
  write_file(
      directory, "COPA/train.jsonl",
      R"({"premise": "It rained. ", "choice1": "I Got wet.", "choice2": "The Sun shone.", "question": "effect", "label": 0})"
      "\n"
      R"({"premise": "He Ran", "choice1": "Same.", "choice2": "Same.", "question": "cause", "label": 1})");
  write_file(directory, "COPA/val.jsonl",
             R"({"premise": "It rained.", "choice1": "A.", "choice2": "B.", "question": "effect", "label": 1})");
  TaskData const data = load("copa", directory.path());
  CHECK(data.candidates.empty());
  REQUIRE(data.train.size() == 2);  // the held-out one has the same prompt, but other candidates
  CHECK(data.train[0].prompt == "It rained so");
  CHECK(data.train[0].candidates == std::vector<std::string>{" I Got wet.", " the Sun shone."});
  CHECK(data.train[0].label == 0);
  CHECK(data.train[1].prompt == "He Ran because");
  CHECK(data.train[1].label == 0);  // the same text means the same answer
  write_file(directory, "COPA/val.jsonl",
             R"({"premise": "It rained.", "choice1": "A.", "choice2": "B.", "question": "reason", "label": 1})");
  CHECK_THROWS_WITH(load("copa", directory.path()),
                    contains_text("val.jsonl:1: question: expected \"cause\" or \"effect\", found \"reason\""));
}

TEST_CASE("multirc asks of each answer whether it is one") {
  TemporaryDirectory const directory;
  std::string const text =
      R"({"passage": {"text": "P.", "questions": [{"question": "Q?", "answers": [{"text": "A", "label": 1},)"
      R"( {"text": " ", "label": 0}]}, {"question": "R?", "answers": [{"text": "B", "label": )";
  write_file(directory, "MultiRC/train.jsonl", text + "1}]}]}}");
  write_file(
      directory, "MultiRC/val.jsonl",
      R"({"passage": {"text": "P2.", "questions": [{"question": "Q", "answers": [{"text": "C", "label": 0}]}]}})");
  TaskData const data = load("multirc", directory.path());
  REQUIRE(data.train.size() == 3);
  CHECK(data.train[0].prompt == "P.\nQuestion: Q?\nI found this answer \"A\". Is that correct? Yes or No?\n");
  CHECK(data.train[0].label == 1);
  CHECK(data.train[1].prompt == "P.\nQuestion: Q?\nI found this answer \" \". Is that correct? Yes or No?\n");
  CHECK(data.train[1].label == 0);
  CHECK(data.train[2].line == 1);
  CHECK(data.train[2].element == 2);
  write_file(directory, "MultiRC/train.jsonl", text + "2}]}]}}");
  CHECK_THROWS_WITH(
      load("multirc", directory.path()),
      contains_text("train.jsonl:1: passage.questions[1].answers[0].label: expected 0 or 1, found \"2\""));
}

TEST_CASE("ranges of a number mean candidates, and a row in none is left out") {
  std::string const task = R"({"files": {"held_out": "data"}, "format": "csv", "columns": ["n", "t"], "prompt": "{t}",
    "candidates": ["a", "b", "c"], "label": {"field": "n", "ranges": [{"at_most": 1, "candidate": 2},
    {"above": 1, "below": 2, "candidate": 0}, {"at_least": 3, "candidate": 1}]}})";
  TaskData const data = load_own(task, "1,one\n1.5,two\n2,three\n 3.0 ,four\n-1e3,five\n2.9,six\n");
  std::map<std::string, std::uint32_t> labels;
  for (TextExample const& example : data.held_out) labels[example.prompt] = example.label;
  CHECK(labels == std::map<std::string, std::uint32_t>{{"one", 2}, {"two", 0}, {"four", 1}, {"five", 2}});
  CHECK(rejection_of_own(task, "x,one\n") == "data:1: n: expected a number, found \"x\"");
  CHECK(rejection_of_own(task, "inf,one\n") == "data:1: n: expected a number, found \"inf\"");
  CHECK(rejection_of_own(task, "2.5,one\n") == "data: expected at least one example, found none");
  CHECK(rejection_of_own(task, "2.5,one\n1, \n") == "data:2: t: expected at least one character, found none");
}

TEST_CASE("a list of candidates may be of any length, and a label is then an index into it") {
  std::string const task = R"({"files": {"held_out": "data"}, "format": "jsonl", "prompt": "{q}",
    "candidates": {"list": "choices[].t", "text": " {candidate|strip}."}, "label": {"field": "l"},
    "score": {"against": "{{q}}"}, "metric": {"name": "exact_match", "group": "{g}"}})";
  TaskData const data = load_own(
      task, "{\"q\": \"Q\", \"g\": 7, \"l\": 2, \"choices\": [{\"t\": \"a\"}, {\"t\": 2}, {\"t\": \" c \"}]}\n");
  REQUIRE(data.held_out.size() == 1);
  CHECK(data.held_out[0].candidates == std::vector<std::string>{" a.", " 2.", " c."});
  CHECK(data.held_out[0].label == 2);
  CHECK(data.held_out[0].neutral == "{q}");
  CHECK(data.held_out[0].group == "7");
  auto row = [](std::string const& label) {
    return R"({"q": "Q", "g": 7, "choices": [{"t": "a"}, {"t": "b"}], "l": )" + label + "}";
  };
  CHECK(rejection_of_own(task, row("1")) == "accepted");
  for (char const* bad : {"2", "-1", "\"x\"", "1.5", "true"})
    CHECK_THAT(rejection_of_own(task, row(bad)),
               contains_text("data:1: l: expected a candidate's index, from 0 to 1, found"));
  CHECK(rejection_of_own(task, R"({"q": "Q", "g": 7, "l": 0, "choices": [{"t": " "}]})") ==
        "data:1: choices[].t: expected at least one character, found none");
}

TEST_CASE("every example knows its file, line and place in the line") {
  TemporaryDirectory const directory;
  write_file(directory, "SST-2/train.tsv", header + "1\tfine\n0\tdull\n");
  write_file(directory, "SST-2/dev.tsv", header + "0\tno wit\n");
  TaskData const data = load("sst2", directory.path());
  std::string const folder = (directory.path() / "SST-2").string();
  REQUIRE(data.train.size() == 2);
  CHECK(place_of(data.train[1]) == folder + "/train.tsv:3");
  CHECK(data.train[0].file == data.train[1].file);
  CHECK(place_of(data.held_out.at(0)) == folder + "/dev.tsv:2");
  TextExample third{.prompt = {}, .line = 7, .element = 2, .file = std::make_shared<std::string const>("f")};
  CHECK(place_of(third) == "f:7: example 3");
}

TEST_CASE("what examples make of their file has a bound") {
  std::string const task =
      R"({"files": {"held_out": "data"}, "format": "jsonl", "examples": "l[]", "prompt": "{t} {l[]}",
    "candidates": ["a", "b"], "label": {"field": "l[]"}})";
  std::string const line = "{\"t\": \"" + std::string(1000, 't') + "\", \"l\": [0,1,0,1,0,1,0,1,0,1]}\n";
  TemporaryDirectory const directory;
  write_file(directory, "data", line);
  Task const own = parse_task(task, "own.json");
  CHECK(load_task(own, directory.path(), {.always = 4000, .per_byte_of_file = 10}).held_out.size() == 10);
  CHECK_THROWS_WITH(load_task(own, directory.path(), {.always = 4000, .per_byte_of_file = 1}),
                    contains_text("data:1: expected examples of at most 5.0 kB in a file of 1.0 kB, found more: the "
                                  "text that they share is too long"));
  std::string const repeated = R"({"files": {"held_out": "data"}, "format": "lines", "text": ")";
  std::string fields;
  for (int i = 0; i < 1000; ++i) fields += "{line}";
  CHECK(rejection_of_own(repeated + fields + "\"}", std::string(20'000, 'x') + "\n") ==
        "data:1: text: expected text and fields of at most 16777216 bytes together, found more");
}

TEST_CASE("many values of a field or label are looked up, and a message lists the first ten") {
  std::string values;
  for (int i = 0; i < 300; ++i)
    values += (i == 0 ? "" : ", ") + ("\"v" + std::to_string(i) + "\": ") + std::to_string(i % 2);
  std::string const task = R"({"files": {"held_out": "data"}, "format": "tsv", "columns": ["t", "l"], "prompt": "{t}",
    "candidates": ["a", "b"], "label": {"field": "l", "values": {)" +
                           values + "}}}";
  std::string rows;
  for (int i = 0; i < 300; ++i) rows += std::to_string(i % 2) + "\tv" + std::to_string(i) + "\n";
  TaskData const data = load_own(task, rows);
  CHECK(data.held_out.size() == 300);
  for (TextExample const& example : data.held_out) CHECK(example.prompt == std::to_string(example.label));
  CHECK(rejection_of_own(task, "x\tw\n") ==
        "data:1: l: expected \"v0\", \"v1\", \"v10\", \"v100\", \"v101\", \"v102\", \"v103\", \"v104\", \"v105\", "
        "\"v106\" or one of 290 others, found \"w\"");
}

// The numbers that the program gave before tasks were data: prompts, candidates, labels, splits and their order.
TEST_CASE("sst2 and rte are to the bit what the recorded results were measured on") {
  auto const shared = zeroth_test::shared_directory();
  if (!shared || !std::filesystem::exists(*shared / "data")) ZEROTH_SKIP("no shared data");
  CHECK(fingerprint(load("sst2", *shared / "data")) == 0x5a6440c9005581f2);
  CHECK(fingerprint(load("rte", *shared / "data")) == 0xb4aaa588724a2d6e);
}

TEST_CASE("movie reviews are divided to the bit as before tasks were data") {
  TemporaryDirectory const directory;
  std::string text;
  for (int i = 0; i < 300; ++i)
    text +=
        std::to_string(i) + "\t" + std::to_string((i * 37 % 81 - 40) / 10.0) + "\treview " + std::to_string(i) + "\n";
  write_file(directory, "movieReviewSnippets_GroundTruth.txt", text);
  CHECK(fingerprint(load("movie-reviews", directory.path())) == 0xd80048e4d1d4c45);
}

TEST_CASE("the published files of the six tasks load whole, with the protocol's prompts") {
  auto const shared = zeroth_test::shared_directory();
  if (!shared || !std::filesystem::exists(*shared / "data")) ZEROTH_SKIP("no shared data");
  using Counts = std::vector<std::size_t>;
  struct Expected {
    std::string task;
    Counts labels;      ///< training 0, 1; held out 0, 1
    std::string begin;  ///< of the prompt of the first training example
    std::string end;    ///< of the same
  };
  for (Expected const& expected : std::vector<Expected>{
           {"sst2", {29780, 37569, 428, 444}, "hide new secretions from the parental units It was", "units It was"},
           {"rte",
            {1249, 1241, 146, 131},
            "No Weapons of Mass Destruction Found in Iraq Yet.\nDoes this mean that \"Weapons",
            "Found in Iraq.\" is true? Yes or No?\n"},
           {"wic",
            {2714, 2714, 319, 319},
            "Does the word \"place\" have the same meaning in these two sentences? Yes, No?\nDo you",
            "place later?\nA political system with no place for the less prominent groups.\n"},
           {"copa", {195, 205, 55, 45}, "My body cast a shadow over the grass because", "grass because"},
           {"multirc",
            {15218, 12025, 2773, 2075},
            "While this process moved along, diplomacy continued its rounds. Direct",
            "\". Is that correct? Yes or No?\n"},
           {"boolq", {}, "", "?\n"}}) {
    INFO(expected.task);
    TaskData const data = load(expected.task, *shared / "data");
    TextExample const first = first_of(data.train);
    CHECK(first.prompt.starts_with(expected.begin));
    CHECK(first.prompt.ends_with(expected.end));
    if (!expected.labels.empty()) CHECK(label_counts(data) == expected.labels);
  }
  Counts const boolq = label_counts(load("boolq", *shared / "data"));
  CHECK(boolq[2] + boolq[3] == 1000);
  CHECK(boolq[0] + boolq[2] == 2033);
  CHECK(boolq[1] + boolq[3] == 1237);
  TextExample const copa = first_of(load("copa", *shared / "data").train);
  CHECK(copa.candidates == std::vector<std::string>{" the sun was rising.", " the grass was cut."});
}
