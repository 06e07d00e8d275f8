// SPDX-License-Identifier: MIT
#include "tasks.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <unordered_set>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/numeric/read_number.hpp>
#include <zeroth_model/text/printable.hpp>

#include "io/paths.hpp"
#include "io/text.hpp"
#include "order.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  return read_number(text, value) ? std::optional(value) : std::nullopt;
}

/// A value for a message: numbers, true and false without quotes, all else in quotes.
std::string as_written(std::string const& value) {
  return value == "true" || value == "false" || parse_number<double>(value) ? value : in_quotes(value);
}

/// "expected a, b or c, found d", with at most ten of the allowed values.
template <class Pairs>
std::string expected_one_of(Pairs const& allowed, std::string const& found) {
  constexpr std::size_t shown = 10;
  std::size_t const count = allowed.size();
  std::string names;
  for (std::size_t i = 0; i < std::min(count, shown); ++i)
    names += (i == 0 ? "" : i + 1 == count ? " or " : ", ") + as_written(allowed[i].first);
  if (count > shown) names += " or one of " + std::to_string(count - shown) + " others";
  return "expected " + names + ", found " + found;
}

/// Turns records into the examples of a task.
class ExampleMaker {
 public:
  ExampleMaker(Task const& task, ExampleLimits limits) : task_(task), limits_(limits) {
    if (!task.has_fixed_candidates()) return;
    for (TextTemplate const& candidate : task.candidates) fixed_.push_back(candidate.fill({}, [](std::size_t) {}));
  }

  [[nodiscard]] std::vector<std::string> const& fixed_candidates() const { return fixed_; }

  [[nodiscard]] std::vector<TextExample> read(fs::path const& path) const {
    std::error_code no_size;  // if it cannot be read, read_records() says why
    std::uintmax_t const size = fs::file_size(path, no_size);
    std::uint64_t const most = limits_.always + (no_size ? 0 : limits_.per_byte_of_file * size);
    std::uint64_t left = most;
    std::vector<TextExample> examples;
    read_records(path, task_.form, [&](Record const& record) {
      std::optional<TextExample> example = make(record);
      if (!example) return;
      std::size_t const bytes = memory_of(*example);
      if (bytes > left)
        record.reject("expected examples of at most " + human_bytes(most) + " in a file of " + human_bytes(size) +
                      ", found more: the text that they share is too long");
      left -= bytes;
      examples.push_back(*std::move(example));
    });
    if (examples.empty()) throw InvalidFile(path.string() + ": expected at least one example, found none");
    return examples;
  }

 private:
  using Values = std::vector<std::string_view>;
  using OnBlank = std::function<void(std::size_t)>;

  static std::size_t memory_of(TextExample const& example) {
    std::size_t bytes = sizeof example + example.prompt.size() + example.neutral.size() + example.group.size();
    for (std::string const& candidate : example.candidates) bytes += sizeof(std::string) + candidate.size();
    return bytes;
  }

  /// None for a row whose label is in none of the ranges.
  [[nodiscard]] std::optional<TextExample> make(Record const& record) const {
    Values const values = mapped(record);
    OnBlank const on_blank = [&](std::size_t field) {
      if (!task_.form.fields[field].may_be_blank) record.reject(field, "expected at least one character, found none");
    };
    auto const fill = [&](char const* what, TextTemplate const& text) {
      return filled(record, what, text, values, on_blank);
    };
    TextExample example{.prompt = {}, .line = record.line, .element = record.element, .file = record.file};
    if (task_.text) {
      example.candidates.push_back(fill("text", *task_.text));
      return example;
    }
    if (fixed_.empty()) example.candidates = own_candidates(record, values, on_blank);
    std::size_t const count = fixed_.empty() ? example.candidates.size() : fixed_.size();
    std::optional<std::uint32_t> const label = label_of(record, values[task_.label.field], count);
    example.prompt = fill("prompt", task_.prompt);
    if (task_.neutral) example.neutral = fill("score.against", *task_.neutral);
    if (task_.group) example.group = fill("metric.group", *task_.group);
    if (!label) return std::nullopt;
    example.label = first_of_same_text(example.candidates, *label);
    return example;
  }

  /// @param what key of the text in the task, for messages
  static std::string filled(Record const& record, char const* what, TextTemplate const& text, Values const& values,
                            OnBlank const& on_blank) {
    try {
      return text.fill(values, on_blank);
    } catch (InvalidArgument const& error) {
      record.reject(std::string(what) + ": " + error.what());
    }
  }

  [[nodiscard]] Values mapped(Record const& record) const {
    Values values = record.values;
    for (std::size_t f = 0; f < values.size(); ++f) {
      auto const& pairs = task_.form.fields[f].values;
      if (!pairs.empty()) values[f] = look_up(record, f, record.values[f], pairs);
    }
    return values;
  }

  /// @param pairs sorted by their first
  template <class T>
  static T const& look_up(Record const& record, std::size_t field, std::string_view value,
                          std::vector<std::pair<std::string, T>> const& pairs) {
    auto const found = std::lower_bound(pairs.begin(), pairs.end(), value,
                                        [](auto const& pair, std::string_view text) { return pair.first < text; });
    if (found != pairs.end() && found->first == value) return found->second;
    record.reject(field, expected_one_of(pairs, in_quotes(value)));
  }

  [[nodiscard]] std::vector<std::string> own_candidates(Record const& record, Values values,
                                                        OnBlank const& on_blank) const {
    std::vector<std::string> candidates;
    std::size_t left = TextTemplate::most_bytes;
    auto const add = [&](TextTemplate const& text) {
      candidates.push_back(filled(record, "candidates", text, values, on_blank));
      if (candidates.back().size() > left)
        record.reject("candidates: expected at most " + std::to_string(TextTemplate::most_bytes) +
                      " bytes together, found more");
      left -= candidates.back().size();
    };
    if (!task_.form.list) {
      for (TextTemplate const& candidate : task_.candidates) add(candidate);
      return candidates;
    }
    for (std::string_view element : record.list) {
      values[task_.candidate_field] = element;
      add(task_.candidates[0]);
    }
    return candidates;
  }

  [[nodiscard]] std::optional<std::uint32_t> label_of(Record const& record, std::string_view value,
                                                      std::size_t candidates) const {
    LabelRule const& rule = task_.label;
    if (!rule.ranges.empty()) {
      std::optional<double> const number = parse_number<double>(strip(value));
      if (!number || !std::isfinite(*number)) record.reject(rule.field, "expected a number, found " + in_quotes(value));
      for (LabelRange const& range : rule.ranges)
        if (range.contains(*number)) return checked(record, range.candidate, value, candidates);
      return std::nullopt;
    }
    if (!rule.values.empty())
      return checked(record, look_up(record, rule.field, value, rule.values), value, candidates);
    std::optional<std::uint32_t> const index = parse_number<std::uint32_t>(value);
    return checked(record, index.value_or(static_cast<std::uint32_t>(candidates)), value, candidates);
  }

  [[nodiscard]] std::uint32_t checked(Record const& record, std::uint32_t index, std::string_view value,
                                      std::size_t candidates) const {
    if (index >= candidates)
      record.reject(task_.label.field, "expected a candidate's index, from 0 to " + std::to_string(candidates - 1) +
                                           ", found " + in_quotes(value));
    return index;
  }

  static std::uint32_t first_of_same_text(std::vector<std::string> const& candidates, std::uint32_t label) {
    if (candidates.empty()) return label;
    return static_cast<std::uint32_t>(std::find(candidates.begin(), candidates.end(), candidates[label]) -
                                      candidates.begin());
  }

  Task const& task_;
  ExampleLimits limits_;
  std::vector<std::string> fixed_;
};

std::vector<TextExample> shuffled(std::vector<TextExample> examples, std::uint64_t seed) {
  std::vector<TextExample> out;
  out.reserve(examples.size());
  for (std::uint32_t i : permutation(seed, 0, static_cast<std::uint32_t>(examples.size())))
    out.push_back(std::move(examples[i]));
  return out;
}

/// How many of `count` examples are held out.
std::size_t held_out_count(TaskSplit const& split, std::size_t count) {
  // In binary, 0.29 is slightly less than 0.29; 0.29 of 100 must still be 29.
  auto const share = static_cast<std::size_t>(static_cast<double>(count) * split.held_out_share + 1e-9);
  return std::clamp<std::size_t>(share, 1, split.at_most.value_or(count));
}

/// Moves the first `held_out` of each part, in turn, to the held-out examples, and the rest to the training examples.
void divide(std::vector<std::vector<TextExample>> parts, std::size_t held_out, TaskData& data) {
  for (std::size_t i = 0; i < held_out; ++i)
    for (std::vector<TextExample>& part : parts) data.held_out.push_back(std::move(part[i]));
  for (std::vector<TextExample>& part : parts)
    std::move(part.begin() + static_cast<std::ptrdiff_t>(held_out), part.end(), std::back_inserter(data.train));
}

/// Holds out equally many examples of each candidate, in turn, so that any first few are balanced too.
void split_balanced(std::vector<TextExample> all, Task const& task, fs::path const& path, TaskData& data) {
  std::vector<std::vector<TextExample>> classes(task.candidates.size());
  for (TextExample& example : shuffled(std::move(all), task.split.seed))
    classes[example.label].push_back(std::move(example));
  auto const size_less = [](auto const& a, auto const& b) { return a.size() < b.size(); };
  auto const rarest = std::min_element(classes.begin(), classes.end(), size_less);
  std::size_t const smallest = rarest->size();
  if (smallest < 2) {
    constexpr std::ptrdiff_t shown = 10;
    std::string counts;
    for (auto members = classes.begin(); members != classes.end(); ++members)
      if (members - classes.begin() < shown || members == rarest)
        counts += (counts.empty() ? "" : ", ") + std::to_string(members->size()) + " of candidate " +
                  std::to_string(members - classes.begin());
    throw InvalidFile(path.string() + ": expected at least two examples of each candidate, found " + counts);
  }
  divide(std::move(classes), held_out_count(task.split, smallest), data);
}

void split_all(std::vector<TextExample> all, Task const& task, fs::path const& path, TaskData& data) {
  std::size_t const count = all.size();
  if (count < 2) throw InvalidFile(path.string() + ": expected at least two examples to divide, found one");
  if (task.split.balanced) {
    split_balanced(std::move(all), task, path, data);
  } else {
    std::vector<std::vector<TextExample>> whole;
    whole.push_back(shuffled(std::move(all), task.split.seed));
    divide(std::move(whole), held_out_count(task.split, count), data);
  }
  data.split = std::to_string(data.held_out.size()) + " of the " + std::to_string(count) + " examples of " +
               path.filename().string() + " are held out";
}

/// `directory/file` or `directory/folder/file`, whichever exists.
fs::path find_file(fs::path const& directory, std::string const& folder, std::string const& file) {
  auto const shown = [](std::string const& name) { return model::detail::printable(name); };
  if (!is_folder(directory)) throw InvalidFile(directory.string() + ": expected a directory, found none");
  if (path_exists(directory / file)) return directory / file;
  if (folder.empty()) throw InvalidFile(directory.string() + ": expected " + shown(file) + ", found no such file");
  if (path_exists(directory / folder / file)) return directory / folder / file;
  throw InvalidFile(directory.string() + ": expected " + shown(file) + " or " + shown(folder) + "/" + shown(file) +
                    ", found neither");
}

void drop_held_out_examples(TaskData& data) {
  std::unordered_set<std::string> held_out;
  for (TextExample const& example : data.held_out) held_out.insert(identity_of(example));
  std::erase_if(data.train, [&](TextExample const& example) { return held_out.contains(identity_of(example)); });
}

}  // namespace

std::string place_of(TextExample const& example) {
  if (!example.file) return "line " + std::to_string(example.line);
  std::string const place = *example.file + ":" + std::to_string(example.line);
  return example.element == 0 ? place : place + ": example " + std::to_string(example.element + 1);
}

std::string identity_of(TextExample const& example) {
  std::string text = example.prompt;
  for (std::string const& candidate : example.candidates) text += '\0' + candidate;
  return text;
}

TaskData load_task(Task const& task, fs::path const& directory, ExampleLimits limits) {
  ExampleMaker const maker(task, limits);
  TaskData data{.candidates = maker.fixed_candidates(), .train = {}, .held_out = {}};
  if (!task.all.empty()) {
    bool const is_file = path_exists(directory) && !is_folder(directory);
    fs::path const path = is_file ? directory : find_file(directory, task.folder, task.all);
    split_all(maker.read(path), task, path, data);
  } else {
    if (!task.train.empty()) data.train = maker.read(find_file(directory, task.folder, task.train));
    data.held_out = shuffled(maker.read(find_file(directory, task.folder, task.held_out)), default_split_seed);
  }
  drop_held_out_examples(data);
  return data;
}

}  // namespace zeroth::cli
