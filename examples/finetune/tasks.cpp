// SPDX-License-Identifier: MIT
#include "tasks.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>

#include "order.hpp"
#include "text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

// Which examples are held out, and in which order, must not depend on the seed of a run.
constexpr std::uint64_t split_seed = 0x5EED;

/// One line of a dataset and where it came from.
struct Row {
  fs::path const& path;
  std::size_t number;  ///< counted from 1
  std::string_view text;

  [[noreturn]] void refuse(std::string const& why) const {
    throw InvalidFile(path.string() + ":" + std::to_string(number) + ": " + why);
  }
};

std::vector<std::string_view> split_at_tabs(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    std::size_t const tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

std::vector<std::string_view> split_at_tabs(Row const& row, std::size_t expected) {
  std::vector<std::string_view> fields = split_at_tabs(row.text);
  if (fields.size() != expected)
    row.refuse("expected " + std::to_string(expected) + " fields separated by tabs, found " +
               std::to_string(fields.size()));
  return fields;
}

/// Calls `read(row)` for each line but the first `skip` that is not blank.
template <class Read>
std::vector<TextExample> read_examples(fs::path const& path, std::vector<std::string> const& lines, std::size_t skip,
                                       Read const& read) {
  std::vector<TextExample> examples;
  for (std::size_t i = skip; i < lines.size(); ++i) {
    if (strip(lines[i]).empty()) continue;
    std::string const text = to_valid_utf8(lines[i]);
    if (std::optional<TextExample> example = read(Row{path, i + 1, text})) examples.push_back(*std::move(example));
  }
  if (examples.empty()) throw InvalidFile(path.string() + ": expected at least one example, found none");
  return examples;
}

std::string sentiment_prompt(Row const& row, std::string_view text) {
  std::string_view const stripped = strip(text);
  if (stripped.empty()) row.refuse("text: expected at least one character, found none");
  return std::string(stripped) + " It was";
}

std::vector<TextExample> read_sst2(fs::path const& path) {
  std::vector<std::string> const lines = read_lines(path);
  if (lines.empty()) throw InvalidFile(path.string() + ": expected a header and rows, found an empty file");
  Row const header{path, 1, lines.front()};
  std::vector<std::string_view> const names = split_at_tabs(header, 2);
  std::size_t const label_column = names[0] == "label" ? 0 : 1;
  if (names[label_column] != "label")
    header.refuse("header: expected a column \"label\", found " + in_quotes(header.text));
  return read_examples(path, lines, 1, [&](Row const& row) -> std::optional<TextExample> {
    std::vector<std::string_view> const fields = split_at_tabs(row, 2);
    std::string_view const label = fields[label_column];
    if (label != "0" && label != "1") row.refuse("label: expected 0 or 1, found " + in_quotes(label));
    return TextExample{sentiment_prompt(row, fields[1 - label_column]), label == "1" ? 1U : 0U};
  });
}

std::vector<TextExample> read_rte(fs::path const& path) {
  return read_examples(path, read_lines(path), 0, [](Row const& row) -> std::optional<TextExample> {
    auto const json = nlohmann::json::parse(row.text, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) row.refuse("expected a JSON object, found " + in_quotes(row.text));
    auto text = [&](char const* field) {
      auto const found = json.find(field);
      if (found == json.end()) row.refuse(std::string(field) + ": expected a string, found no such field");
      if (!found->is_string()) row.refuse(std::string(field) + ": expected a string, found " + found->type_name());
      return found->template get<std::string>();
    };
    std::string const label = text("label");
    if (label != "entailment" && label != "not_entailment")
      row.refuse("label: expected \"entailment\" or \"not_entailment\", found " + in_quotes(label));
    return TextExample{text("premise") + "\nDoes this mean that \"" + text("hypothesis") + "\" is true? Yes or No?\n",
                       label == "entailment" ? 0U : 1U};
  });
}

std::vector<TextExample> read_movie_reviews(fs::path const& path) {
  return read_examples(path, read_lines(path), 0, [](Row const& row) -> std::optional<TextExample> {
    std::vector<std::string_view> const fields = split_at_tabs(row, 3);
    std::string_view const rating = strip(fields[1]);
    double mean = 0;
    auto const [end, error] = std::from_chars(rating.data(), rating.data() + rating.size(), mean);
    if (error != std::errc{} || end != rating.data() + rating.size() || !std::isfinite(mean))
      row.refuse("mean rating: expected a number, found " + in_quotes(fields[1]));
    std::string prompt = sentiment_prompt(row, fields[2]);
    if (std::abs(mean) <= 0.5) return std::nullopt;
    return TextExample{std::move(prompt), mean > 0 ? 1U : 0U};
  });
}

std::vector<TextExample> shuffled(std::vector<TextExample> examples) {
  std::vector<TextExample> out;
  out.reserve(examples.size());
  for (std::uint32_t i : permutation(split_seed, 0, static_cast<std::uint32_t>(examples.size())))
    out.push_back(std::move(examples[i]));
  return out;
}

/// Holds out as many examples of each class, alternating, so that every even number of the first ones is balanced.
void split_balanced(std::vector<TextExample> all, fs::path const& path, TaskData& data) {
  std::array<std::vector<TextExample>, 2> classes;
  for (TextExample& example : shuffled(std::move(all))) classes[example.label].push_back(std::move(example));
  std::size_t const smaller = std::min(classes[0].size(), classes[1].size());
  if (smaller < 2)
    throw InvalidFile(path.string() + ": expected at least two examples of each class, found " +
                      std::to_string(classes[0].size()) + " negative and " + std::to_string(classes[1].size()) +
                      " positive");
  std::size_t const held_out = std::clamp<std::size_t>(smaller / 5, 1, 1000);
  for (std::size_t i = 0; i < held_out; ++i)
    for (std::vector<TextExample>& members : classes) data.held_out.push_back(std::move(members[i]));
  for (std::vector<TextExample>& members : classes)
    std::move(members.begin() + static_cast<std::ptrdiff_t>(held_out), members.end(), std::back_inserter(data.train));
}

/// `directory/file` or `directory/own_name/file`, whichever is there.
fs::path find_file(fs::path const& directory, std::string_view own_name, std::string_view file) {
  if (!fs::is_directory(directory)) throw InvalidFile(directory.string() + ": expected a directory, found none");
  for (fs::path const& candidate : {directory / file, directory / own_name / file})
    if (fs::exists(candidate)) return candidate;
  throw InvalidFile(directory.string() + ": expected " + std::string(file) + " or " + std::string(own_name) + "/" +
                    std::string(file) + ", found neither");
}

void drop_held_out_prompts(TaskData& data) {
  std::unordered_set<std::string_view> held_out;
  for (TextExample const& example : data.held_out) held_out.insert(example.prompt);
  std::erase_if(data.train, [&](TextExample const& example) { return held_out.contains(example.prompt); });
}

TaskData load_sst2(fs::path const& directory) {
  return {.candidates = {" terrible", " great"},
          .train = read_sst2(find_file(directory, "SST-2", "train.tsv")),
          .held_out = shuffled(read_sst2(find_file(directory, "SST-2", "dev.tsv")))};
}

TaskData load_rte(fs::path const& directory) {
  return {.candidates = {"Yes", "No"},
          .train = read_rte(find_file(directory, "RTE", "train.jsonl")),
          .held_out = shuffled(read_rte(find_file(directory, "RTE", "val.jsonl")))};
}

TaskData load_movie_reviews(fs::path const& directory) {
  fs::path const path = find_file(directory, "hutto_ICWSM_2014", "movieReviewSnippets_GroundTruth.txt");
  TaskData data{.candidates = {" terrible", " great"}, .train = {}, .held_out = {}};
  split_balanced(read_movie_reviews(path), path, data);
  return data;
}

struct Loader {
  std::string_view name;
  TaskData (*load)(fs::path const&);
};

constexpr std::array<Loader, 3> loaders{
    {{"sst2", load_sst2}, {"rte", load_rte}, {"movie-reviews", load_movie_reviews}}};

Loader const& find_loader(std::string_view name) {
  for (Loader const& loader : loaders)
    if (loader.name == name) return loader;
  throw InvalidArgument("--task: expected one of " + std::string(task_names) + ", found " + in_quotes(name));
}

}  // namespace

void check_task_name(std::string_view name) {
  find_loader(name);
}

TaskData load_task(std::string_view name, fs::path const& directory) {
  TaskData data = find_loader(name).load(directory);
  drop_held_out_prompts(data);
  return data;
}

}  // namespace zeroth::cli
