// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <zeroth/error.hpp>

#include "../../examples/finetune/tasks.hpp"
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

/// What load_task says about a task whose file `bad` has this text; the task's other file is a good one.
std::string refusal(std::string const& task, std::string const& bad, std::string const& text) {
  TemporaryDirectory const directory;
  write_file(directory, "SST-2/train.tsv", header + "1\tfine\n");
  write_file(directory, "SST-2/dev.tsv", header + "0\tdull\n");
  write_file(directory, "RTE/train.jsonl", R"({"premise": "a", "hypothesis": "b", "label": "entailment"})");
  write_file(directory, "RTE/val.jsonl", R"({"premise": "c", "hypothesis": "d", "label": "entailment"})");
  write_file(directory, bad, text);
  try {
    (void)load_task(task, directory.path());
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
    TaskData const data = load_task("sst2", path);
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
  TaskData const data = load_task("rte", directory.path());
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
  TaskData const data = load_task("movie-reviews", directory.path());
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
  CHECK(prompts(load_task("movie-reviews", directory.path()).held_out) == prompts(data.held_out));
}

TEST_CASE("an example that is held out is never trained on, even if a training file holds it too") {
  TemporaryDirectory const directory;
  write_file(directory, "train.tsv", header + "1\tseen\n1\tnew\n");
  write_file(directory, "dev.tsv", header + "1\tseen\n");
  TaskData const data = load_task("sst2", directory.path());
  CHECK(prompts(data.train) == std::vector<std::string>{"new It was"});
}

TEST_CASE("a bad row is refused with file, line, field, what was expected and what was found") {
  CHECK(refusal("sst2", "SST-2/train.tsv", header + "1\tfine\n2\tbad\n") ==
        "SST-2/train.tsv:3: label: expected 0 or 1, found \"2\"");
  CHECK(refusal("sst2", "SST-2/dev.tsv", header + "1\n") ==
        "SST-2/dev.tsv:2: expected 2 fields separated by tabs, found 1");
  CHECK(refusal("sst2", "SST-2/dev.tsv", header + "1\t \n") ==
        "SST-2/dev.tsv:2: text: expected at least one character, found none");
  CHECK(refusal("sst2", "SST-2/dev.tsv", "a\tb\n1\tfine\n") ==
        "SST-2/dev.tsv:1: header: expected a column \"label\", found \"a b\"");
  CHECK(refusal("sst2", "SST-2/dev.tsv", header) == "SST-2/dev.tsv: expected at least one example, found none");
  CHECK(refusal("sst2", "SST-2/dev.tsv", "") == "SST-2/dev.tsv: expected a header and rows, found an empty file");
  CHECK(refusal("rte", "RTE/train.jsonl", "\n{\"premise\": \"a\"") ==
        "RTE/train.jsonl:2: expected a JSON object, found \"{\"premise\": \"a\"\"");
  CHECK(refusal("rte", "RTE/train.jsonl", R"({"premise": "a", "label": "entailment"})") ==
        "RTE/train.jsonl:1: hypothesis: expected a string, found no such field");
  CHECK(refusal("rte", "RTE/train.jsonl", R"({"premise": 3, "hypothesis": "b", "label": "entailment"})") ==
        "RTE/train.jsonl:1: premise: expected a string, found number");
  CHECK(refusal("rte", "RTE/val.jsonl", R"({"premise": "a", "hypothesis": "b", "label": "maybe"})") ==
        "RTE/val.jsonl:1: label: expected \"entailment\" or \"not_entailment\", found \"maybe\"");
  std::string const reviews = "movieReviewSnippets_GroundTruth.txt";
  CHECK(refusal("movie-reviews", reviews, "1\t2.5\tgood\n2\tx\tbad\n") ==
        reviews + ":2: mean rating: expected a number, found \"x\"");
  CHECK(refusal("movie-reviews", reviews, "1\tnan\tgood\n") ==
        reviews + ":1: mean rating: expected a number, found \"nan\"");
  CHECK(refusal("movie-reviews", reviews, "1\t2.5\n") == reviews + ":1: expected 3 fields separated by tabs, found 2");
  CHECK(refusal("movie-reviews", reviews, "1\t2.5\tgood\n2\t2\tgood too\n") ==
        reviews + ": expected at least two examples of each class, found 0 negative and 2 positive");
  CHECK_THAT(refusal("movie-reviews", "other", ""),
             contains_text("expected movieReviewSnippets_GroundTruth.txt or "
                           "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt, found neither"));
}

TEST_CASE("a task that is not known, and a folder that is not there, are refused") {
  CHECK_THROWS_WITH(load_task("sst3", "."), "--task: expected one of sst2, rte, movie-reviews, found \"sst3\"");
  CHECK_THROWS_WITH(load_task("sst2", "no/such/folder"), "no/such/folder: expected a directory, found none");
}

TEST_CASE("the published files of sst2 and rte load whole") {
  auto const shared = zeroth_test::shared_directory();
  if (!shared || !std::filesystem::exists(*shared / "data")) ZEROTH_SKIP("no shared data");
  TaskData const sst2 = load_task("sst2", *shared / "data");
  CHECK(sst2.held_out.size() == 872);
  CHECK(sst2.train.size() > 67'000);
  TaskData const rte = load_task("rte", *shared / "data");
  CHECK(rte.held_out.size() == 277);
  CHECK(rte.train.size() == 2490);
}
