// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <zeroth/error.hpp>

#include "../../cli/commands/examples.hpp"
#include "catch.hpp"

using namespace zeroth::cli;

namespace {

/// 20 examples of candidate 0, 3 of candidate 1.
TaskData unbalanced() {
  TaskData data{.candidates = {" no", " yes"}, .train = {}, .held_out = {}};
  for (std::uint32_t i = 0; i < 23; ++i)
    data.train.push_back({"p" + std::to_string(i) + " is", i % 8 == 7 || i == 0 ? 1U : 0U});
  return data;
}

std::size_t count(std::string const& text, std::string const& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("shots have their right candidate, a blank line after each, and are as balanced as can be") {
  Task const task = find_task("sst2");
  TaskData data = unbalanced();
  std::string const text = take_demonstrations(task, data, 4, 1);
  CHECK(count(text, "\n\n") == 4);
  CHECK(text.ends_with("\n\n"));
  CHECK(count(text, " is yes\n\n") == 2);
  CHECK(count(text, " is no\n\n") == 2);
  CHECK(data.train.size() == 19);
  for (TextExample const& example : data.train) CHECK(count("\n\n" + text, "\n\n" + example.prompt) == 0);

  TaskData more = unbalanced();
  std::string const many = take_demonstrations(task, more, 10, 1);
  CHECK(count(many, " is yes\n\n") == 3);
  CHECK(count(many, " is no\n\n") == 7);
}

TEST_CASE("only the seed chooses the shots and their order") {
  Task const task = find_task("sst2");
  auto shots = [&](std::uint64_t seed) {
    TaskData data = unbalanced();
    return take_demonstrations(task, data, 4, seed);
  };
  CHECK(shots(3) == shots(3));
  std::set<std::string> texts;
  std::set<bool> first_is_yes;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    texts.insert(shots(seed));
    first_is_yes.insert(shots(seed).substr(0, shots(seed).find('\n')).ends_with("yes"));
  }
  CHECK(texts.size() > 15);
  CHECK(first_is_yes.size() == 2);
}

TEST_CASE("without shots nothing is taken, and too many or those of a text are rejected") {
  TaskData data = unbalanced();
  CHECK(take_demonstrations(find_task("sst2"), data, 0, 1).empty());
  CHECK(data.train.size() == 23);
  CHECK_THROWS_WITH(take_demonstrations(find_task("sst2"), data, 24, 1),
                    "--shots: expected at most the number of training examples, 23, found 24");
  CHECK_THROWS_WITH(take_demonstrations(find_task("text"), data, 1, 1),
                    "--shots: expected 0 for a text, which has no candidates, found 1");
}

TEST_CASE("a shot with candidates of its own shows its own") {
  TaskData data;
  data.train.push_back({"because", 1, {" a", " b"}});
  CHECK(take_demonstrations(find_task("copa"), data, 1, 0) == "because b\n\n");
}

TEST_CASE("validation examples are none of those trained on, which are the same with and without them") {
  TaskData const data = unbalanced();
  auto prompts = [](std::vector<TextExample> const& examples) {
    std::vector<std::string> texts;
    for (TextExample const& example : examples) texts.push_back(example.prompt);
    return texts;
  };
  TrainingChoice const without = choose_training_examples(data, 15, 0, 1);
  TrainingChoice const with = choose_training_examples(data, 15, 8, 1);
  CHECK(without.validation.empty());
  CHECK(prompts(with.train) == prompts(without.train));
  std::set<std::string> all;
  for (auto const* part : {&with.train, &with.validation})
    for (TextExample const& example : *part) all.insert(example.prompt);
  CHECK(all.size() == 23);
  CHECK(prompts(choose_training_examples(data, 15, 8, 1).validation) == prompts(with.validation));
  CHECK(prompts(choose_training_examples(data, 15, 8, 2).validation) != prompts(with.validation));
  // Validation examples are chosen first: the rest is for training.
  CHECK(choose_training_examples(data, 1000, 22, 1).train.size() == 1);
  CHECK(choose_training_examples(data, 1000, 22, 1).validation.size() == 22);
  CHECK_THROWS_WITH(choose_training_examples(data, 1, 23, 1),
                    "--validation-examples: expected fewer than there are training examples, 23, found 23");
}

TEST_CASE("an example like one for validation is not trained on") {
  TaskData data = unbalanced();
  std::vector<TextExample> const once = data.train;
  data.train.insert(data.train.end(), once.begin(), once.end());
  TrainingChoice const chosen = choose_training_examples(data, 1000, 4, 3);
  std::set<std::string> validation;
  for (TextExample const& example : chosen.validation) validation.insert(example.prompt);
  CHECK(chosen.validation.size() == 4);
  CHECK(chosen.train.size() == 46 - 2 * validation.size());
  for (TextExample const& example : chosen.train) CHECK(validation.count(example.prompt) == 0);
  // With other candidates, the same prompt makes a different example.
  data.train[0].candidates = {" so"};
  std::size_t trained = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    TrainingChoice const other = choose_training_examples(data, 1000, 1, seed);
    if (other.validation[0].prompt == data.train[0].prompt) trained += other.train.size();
  }
  CHECK(trained > 0);
  CHECK(trained % 45 == 0);
}
