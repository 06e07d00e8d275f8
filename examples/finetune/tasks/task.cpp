// SPDX-License-Identifier: MIT
#include "task.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <zeroth/error.hpp>

#include "../text.hpp"
#include "builtin_tasks.hpp"
#include "checked_json.hpp"

namespace zeroth::cli {
namespace {

constexpr std::uint32_t most_candidates = 1000;
constexpr std::size_t most_bytes = 1 << 20;

/// Calls `read`, which throws InvalidArgument "expected ..., found ...", and names the value's place in what it throws.
template <class Read>
auto read_text_of(CheckedJson const& json, Read const& read) {
  std::string const text = json.text();
  try {
    return read(text);
  } catch (InvalidArgument const& error) {
    std::string const why = error.what();
    std::size_t const found = why.rfind(", found ");
    json.refuse(why.substr(9, found - 9), why.substr(found + 8));
  }
}

/// Reads a task file, key by key.
class TaskParser {
 public:
  TaskParser(OrderedJson const& json, std::string const& file) : json_(json, file) { task_.file = file; }

  Task parse() {
    bool const is_text = check_keys();
    if (auto const description = json_.find("description")) task_.description = description->text();
    if (auto const folder = json_.find("folder")) task_.folder = folder->text();
    read_files();
    read_form();
    if (is_text) {
      task_.text = text_template(json_.at("text", "a string"));
      task_.metric.kind = Metric::Kind::loss;
      task_.scoring.loss = model::Loss::language_model;
    } else {
      task_.prompt = text_template(json_.at("prompt", "a string"));
      read_candidates();
      read_label();
      read_metric();
      read_score();
    }
    return std::move(task_);
  }

 private:
  bool check_keys() const {
    json_.allow_keys({"description", "folder", "files", "split", "format", "columns", "examples", "fields", "prompt",
                      "candidates", "label", "metric", "score", "shared_beginning", "text"});
    bool const is_text = json_.find("text").has_value();
    for (char const* key : {"prompt", "candidates", "label", "metric", "score", "shared_beginning"})
      if (auto const found = json_.find(key); found && is_text)
        found->refuse("no such key in a task with the key \"text\"");
    return is_text;
  }

  static std::string file_name(CheckedJson const& json) {
    std::string name = json.text();
    if (name.empty()) json.refuse("the name of a file");
    return name;
  }

  void read_files() {
    std::string const expected = "an object with \"held_out\" and \"train\", or with \"all\"";
    CheckedJson const files = json_.at("files", expected);
    files.allow_keys({"train", "held_out", "all"});
    auto const split = json_.find("split");
    if (auto const all = files.find("all")) {
      task_.all = file_name(*all);
      for (char const* key : {"train", "held_out"})
        if (auto const other = files.find(key)) other->refuse("no such key beside \"all\"");
      return read_split(json_.at("split", "an object that says how files.all is divided"));
    }
    task_.held_out = file_name(files.at("held_out", "the name of a file"));
    if (auto const train = files.find("train")) task_.train = file_name(*train);
    if (split) split->refuse("no such key without files.all");
  }

  void read_split(CheckedJson const& json) {
    json.allow_keys({"held_out_share", "at_most", "balanced", "seed"});
    CheckedJson const share = json.at("held_out_share", "a number above 0 and below 1");
    task_.split.held_out_share = share.number();
    if (!(task_.split.held_out_share > 0 && task_.split.held_out_share < 1))
      share.refuse("a number above 0 and below 1");
    if (auto const most = json.find("at_most")) task_.split.at_most = most->whole_number(1, no_limit);
    if (auto const balanced = json.find("balanced")) task_.split.balanced = balanced->boolean();
    if (auto const seed = json.find("seed")) task_.split.seed = seed->whole_number(0, no_limit);
    balanced_ = json.find("balanced");
  }

  void read_form() {
    read_format();
    if (auto const columns = json_.find("columns")) read_columns(*columns);
    if (auto const examples = json_.find("examples")) read_examples(*examples);
    auto const fields = json_.find("fields");
    if (!fields) return;
    for (auto const& [name, json] : fields->members("an object with a key for each field")) {
      if (name.empty() || name.find_first_of("{}|") != std::string::npos)
        json.refuse("the name of a field to be at least one character, none of them {, } and |", in_quotes(name));
      read_field(name, json);
    }
  }

  void read_format() {
    CheckedJson const json = json_.at("format", "one of tsv, csv, jsonl, lines");
    std::string const name = json.text();
    if (name == "tsv")
      task_.form.format = DataFormat::tsv;
    else if (name == "csv")
      task_.form.format = DataFormat::csv;
    else if (name == "jsonl")
      task_.form.format = DataFormat::jsonl;
    else if (name == "lines")
      task_.form.format = DataFormat::lines;
    else
      json.refuse("one of tsv, csv, jsonl, lines");
  }

  [[nodiscard]] bool is(DataFormat format) const { return task_.form.format == format; }

  void read_columns(CheckedJson const& json) {
    if (!is(DataFormat::tsv) && !is(DataFormat::csv)) json.refuse("no such key with a format other than tsv and csv");
    std::vector<std::string>& columns = task_.form.columns;
    for (CheckedJson const& column : json.elements("an array with the names of the columns")) {
      if (std::find(columns.begin(), columns.end(), column.text()) != columns.end())
        column.refuse("a name unlike those before");
      columns.push_back(column.text());
    }
  }

  static JsonPath json_path(CheckedJson const& json) {
    return read_text_of(json, [](std::string const& text) { return JsonPath(text); });
  }

  void read_examples(CheckedJson const& json) {
    if (!is(DataFormat::jsonl)) json.refuse("no such key with a format other than jsonl");
    JsonPath const path = json_path(json);
    if (!path.is_list()) json.refuse("a path that ends in \"[]\"");
    task_.form.examples = path;
  }

  void read_field(std::string const& name, CheckedJson const& json) {
    Field field{name, {}};
    std::string const expected = "a place, an array of places or an object with \"from\"";
    auto read_places = [&](CheckedJson const& places) {
      if (!places.is_text() && !places.is_array()) places.refuse(expected);
      if (places.is_text()) return add_place(field, places);
      for (CheckedJson const& place : places.elements(expected)) add_place(field, place);
    };
    if (!json.is_object()) {
      read_places(json);
    } else {
      json.allow_keys({"from", "values", "may_be_blank"});
      read_places(json.at("from", "a place or an array of places"));
      if (auto const values = json.find("values"))
        for (auto const& [value, text] : values->members("an object with a text for each value"))
          field.values.emplace_back(value, text.text());
      if (auto const blank = json.find("may_be_blank")) field.may_be_blank = blank->boolean();
    }
    task_.form.fields.push_back(std::move(field));
  }

  void add_place(Field& field, CheckedJson const& json) const {
    read_text_of(json, [&](std::string const& place) { return add_place(field, place); });
  }

  /// @throws InvalidArgument if no file of this form has such a place.
  void add_place(Field& field, std::string const& place) const {
    std::vector<std::string> const& columns = task_.form.columns;
    if (!columns.empty() && std::find(columns.begin(), columns.end(), place) == columns.end()) {
      std::string names;
      for (std::string const& column : columns) names += (names.empty() ? "" : ", ") + column;
      throw InvalidArgument("expected one of the columns " + names + ", found " + in_quotes(place));
    }
    if (is(DataFormat::lines) && place != "line")
      throw InvalidArgument("expected the field \"line\", the only one of the format lines, found " + in_quotes(place));
    if (is(DataFormat::jsonl)) {
      JsonPath const path(place);
      if (path.lists() > 0 && (!task_.form.examples || !path.shares_lists(*task_.form.examples, path.lists())))
        throw InvalidArgument("expected \"[]\" in the path of a field only as in the key \"examples\", found " +
                              in_quotes(place));
      field.paths.push_back(path);
    }
    field.places.push_back(place);
  }

  /// The index of a field by name; one that is not declared is the place of that name.
  std::size_t index_of(std::string const& name) {
    std::vector<Field>& fields = task_.form.fields;
    auto const found = std::find_if(fields.begin(), fields.end(), [&](Field const& f) { return f.name == name; });
    if (found != fields.end()) return static_cast<std::size_t>(found - fields.begin());
    Field field{name, {}};
    add_place(field, name);
    fields.push_back(std::move(field));
    return fields.size() - 1;
  }

  TextTemplate text_template(CheckedJson const& json) {
    return read_text_of(json, [&](std::string const& text) {
      return TextTemplate(text, [&](std::string const& name) { return index_of(name); });
    });
  }

  void read_candidates() {
    std::string const expected = "an array of texts or an object with \"list\" and \"text\"";
    CheckedJson const json = json_.at("candidates", expected);
    if (json.is_object()) return read_candidate_list(json);
    std::vector<std::string> fixed;
    for (CheckedJson const& candidate : json.elements(expected)) {
      task_.candidates.push_back(text_template(candidate));
      if (candidate.text().empty()) candidate.refuse("at least one character");
      if (std::find(fixed.begin(), fixed.end(), candidate.text()) != fixed.end())
        candidate.refuse("a text unlike those before");
      fixed.push_back(candidate.text());
    }
    if (fixed.size() < 2 || fixed.size() > most_candidates)
      json.refuse("2 to " + std::to_string(most_candidates) + " candidates", std::to_string(fixed.size()));
  }

  void read_candidate_list(CheckedJson const& json) {
    json.allow_keys({"list", "text"});
    CheckedJson const list = json.at("list", "the path of a list");
    if (!is(DataFormat::jsonl)) list.refuse("no such key with a format other than jsonl");
    JsonPath const path = json_path(list);
    std::size_t const outer = path.lists() == 0 ? 0 : path.lists() - 1;
    if (path.lists() == 0 || (outer > 0 && (!task_.form.examples || !path.shares_lists(*task_.form.examples, outer))))
      list.refuse("a path with one \"[]\" more than it shares with the key \"examples\"");
    if (balanced_ && task_.split.balanced) balanced_->refuse("false where the candidates are a list");
    for (Field const& field : task_.form.fields)
      if (field.name == "candidate") json.refuse("no other field \"candidate\": it is the list's element", "one");
    task_.form.list = path;
    task_.candidate_field = task_.form.fields.size();
    task_.form.fields.push_back(Field{"candidate", {}});
    task_.candidates.push_back(text_template(json.at("text", "a string")));
    if (task_.candidates[0].is_fixed()) json.at("text", "a string").refuse("a text with the field {candidate}");
  }

  [[nodiscard]] std::uint64_t last_candidate() const {
    return task_.form.list ? most_candidates - 1 : task_.candidates.size() - 1;
  }

  [[nodiscard]] std::uint32_t candidate_index(CheckedJson const& json) const {
    return static_cast<std::uint32_t>(json.whole_number(0, last_candidate()));
  }

  void read_label() {
    CheckedJson const json = json_.at("label", "an object with \"field\"");
    json.allow_keys({"field", "values", "ranges"});
    task_.label.field =
        read_text_of(json.at("field", "the name of a field"), [&](std::string const& name) { return index_of(name); });
    auto const values = json.find("values");
    auto const ranges = json.find("ranges");
    if (values && ranges) ranges->refuse("no such key beside \"values\"");
    if (values)
      for (auto const& [value, index] : values->members("an object with the index of a candidate for each value"))
        task_.label.values.emplace_back(value, candidate_index(index));
    if (ranges)
      for (CheckedJson const& range : ranges->elements("an array of ranges")) read_range(range);
  }

  void read_range(CheckedJson const& json) {
    json.allow_keys({"above", "at_least", "below", "at_most", "candidate"});
    LabelRange range;
    auto read = [&](char const* key, std::optional<double>& bound) {
      if (auto const found = json.find(key)) bound = found->number();
    };
    read("above", range.above);
    read("at_least", range.at_least);
    read("below", range.below);
    read("at_most", range.at_most);
    if (!range.above && !range.at_least && !range.below && !range.at_most)
      json.refuse("at least one of the keys above, at_least, below, at_most", "none");
    range.candidate = candidate_index(json.at("candidate", "the index of a candidate"));
    task_.label.ranges.push_back(range);
  }

  void read_metric() {
    std::string const expected = "one of accuracy, f1, exact_match";
    auto const json = json_.find("metric");
    if (!json) return;
    if (!json->is_text() && !json->is_object()) json->refuse(expected + ", or an object with \"name\"");
    CheckedJson const name = json->is_text() ? *json : json->at("name", expected);
    for (Metric::Kind kind : {Metric::Kind::accuracy, Metric::Kind::f1, Metric::Kind::exact_match})
      if (name.text() == to_string(kind)) return read_metric(*json, kind);
    name.refuse(expected);
  }

  void read_metric(CheckedJson const& json, Metric::Kind kind) {
    task_.metric.kind = kind;
    if (kind == Metric::Kind::f1 && json.is_text())
      json.refuse("an object with \"name\" and \"positive\" for f1, which needs to know the positive candidate");
    if (json.is_text()) return;
    if (kind == Metric::Kind::f1) {
      json.allow_keys({"name", "positive"});
      task_.metric.positive = candidate_index(json.at("positive", "the index of a candidate"));
    } else if (kind == Metric::Kind::exact_match) {
      json.allow_keys({"name", "group"});
      if (auto const group = json.find("group")) task_.group = text_template(*group);
    } else {
      json.allow_keys({"name"});
    }
  }

  void read_score() {
    if (auto const shared = json_.find("shared_beginning")) {
      if (shared->text() != "prompt" && shared->text() != "candidate") shared->refuse("prompt or candidate");
      task_.candidates_own_shared_beginning = shared->text() == "candidate";
    }
    auto const json = json_.find("score");
    if (!json) return;
    if (json->is_object()) {
      json->allow_keys({"against"});
      task_.neutral = text_template(json->at("against", "a string"));
      task_.scoring.candidate = model::CandidateScore::against_neutral;
    } else {
      std::string const name = json->is_text() ? json->text() : "";
      if (name != "mean" && name != "sum") json->refuse("mean, sum or an object with \"against\"");
      task_.scoring.candidate = name == "sum" ? model::CandidateScore::sum : model::CandidateScore::mean;
    }
  }

  static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

  CheckedJson json_;
  std::optional<CheckedJson> balanced_;
  Task task_;
};

bool is_file(std::string const& option) {
  return option.ends_with(".json");
}

}  // namespace

bool LabelRange::contains(double value) const {
  return (!above || value > *above) && (!at_least || value >= *at_least) && (!below || value < *below) &&
         (!at_most || value <= *at_most);
}

bool Task::has_fixed_candidates() const {
  return !form.list && std::all_of(candidates.begin(), candidates.end(), [](auto const& c) { return c.is_fixed(); });
}

Task parse_task(std::string_view json, std::string const& file) {
  OrderedJson const parsed = parse_json(json, file);
  return TaskParser(parsed, file).parse();
}

void check_task_option(std::string const& option) {
  if (!is_file(option) && find_builtin_task(option) == nullptr)
    throw InvalidArgument("--task: expected one of " + builtin_task_names() + ", or a file that ends in .json, found " +
                          in_quotes(option));
}

Task find_task(std::string const& option) {
  check_task_option(option);
  if (is_file(option)) return parse_task(read_text(option, most_bytes), option);
  return parse_task(find_builtin_task(option)->json, "the task " + option);
}

}  // namespace zeroth::cli
