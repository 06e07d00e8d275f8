// SPDX-License-Identifier: MIT
#include "task.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>

#include "io/text.hpp"
#include "task_json.hpp"

namespace zeroth::cli {
namespace {

using model::JsonMember;
using model::JsonValue;

constexpr std::size_t most_places = 64;  // per field
constexpr std::size_t most_ranges = 1000;
constexpr model::JsonLimits task_limits{.bytes = 1 << 20};

/// Reads a task file, key by key.
class TaskParser {
 public:
  explicit TaskParser(JsonValue json) : json_(std::move(json)) { task_.file = json_.file_name(); }

  Task parse() {
    bool const is_text = check_keys();
    if (auto const description = json_.find("description")) task_.description = description->as<std::string>();
    if (auto const folder = json_.find("folder")) task_.folder = path_in_data(*folder);
    read_files();
    read_form();
    if (is_text) {
      task_.text = text_template(json_.get("text", "a string"));
      task_.metric.kind = Metric::Kind::loss;
      task_.scoring.loss = model::Loss::language_model;
    } else {
      task_.prompt = text_template(json_.get("prompt", "a string"));
      read_candidates();
      read_label();
      read_metric();
      read_score();
    }
    return std::move(task_);
  }

 private:
  bool check_keys() const {
    allow_keys(json_, {"description", "folder", "files", "split", "format", "columns", "examples", "fields", "prompt",
                       "candidates", "label", "metric", "score", "shared_beginning", "text", "invalid_utf8"});
    bool const is_text = json_.find("text").has_value();
    for (char const* key : {"prompt", "candidates", "label", "metric", "score", "shared_beginning"})
      if (auto const found = json_.find(key); found && is_text)
        throw found->mismatch("no such key in a task with the key \"text\"");
    return is_text;
  }

  /// A task file may come from a stranger: it may only name files in the folder of the data.
  static std::string path_in_data(JsonValue const& json) {
    auto name = json.as<std::string>();
    std::filesystem::path const path(name);
    if (path.has_root_path() || std::find(path.begin(), path.end(), "..") != path.end() ||
        name.find('\0') != std::string::npos)
      throw json.mismatch("a path within the folder of --data, not absolute and without \"..\"");
    return name;
  }

  static std::string file_name(JsonValue const& json) {
    auto name = path_in_data(json);
    if (name.empty()) throw json.mismatch("the name of a file");
    return name;
  }

  void read_files() {
    std::string const expected = "an object with \"held_out\" and \"train\", or with \"all\"";
    JsonValue const files = json_.get("files", expected);
    allow_keys(files, {"train", "held_out", "all"});
    auto const split = json_.find("split");
    if (auto const all = files.find("all")) {
      task_.all = file_name(*all);
      for (char const* key : {"train", "held_out"})
        if (auto const other = files.find(key)) throw other->mismatch("no such key with \"all\"");
      return read_split(json_.get("split", "an object that says how files.all is divided"));
    }
    task_.held_out = file_name(files.get("held_out", "the name of a file"));
    if (auto const train = files.find("train")) task_.train = file_name(*train);
    if (split) throw split->mismatch("no such key without files.all");
  }

  void read_split(JsonValue const& json) {
    allow_keys(json, {"held_out_share", "at_most", "balanced", "seed"});
    JsonValue const share = json.get("held_out_share", "a number above 0 and below 1");
    task_.split.held_out_share = share.as<double>();
    if (!(task_.split.held_out_share > 0 && task_.split.held_out_share < 1))
      throw share.mismatch("a number above 0 and below 1");
    if (auto const most = json.find("at_most")) task_.split.at_most = most->whole_number(1, no_limit);
    if (auto const balanced = json.find("balanced")) task_.split.balanced = balanced->as<bool>();
    if (auto const seed = json.find("seed")) task_.split.seed = seed->whole_number(0, no_limit);
    balanced_ = json.find("balanced");
  }

  void read_form() {
    read_format();
    if (auto const invalid = json_.find("invalid_utf8")) {
      if (!invalid->is("refuse") && !invalid->is("replace")) throw invalid->mismatch("refuse or replace");
      task_.form.replaces_invalid_utf8 = invalid->is("replace");
    }
    if (auto const columns = json_.find("columns")) read_columns(*columns);
    if (auto const examples = json_.find("examples")) read_examples(*examples);
    auto const fields = json_.find("fields");
    if (!fields) return;
    if (fields->is_object() && fields->json().size() > most_fields)
      throw fields->mismatch("at most " + std::to_string(most_fields) + " fields",
                             std::to_string(fields->json().size()));
    for (auto const& [key, json] : members(*fields, "an object with a key for each field")) {
      std::string const name(key);
      if (name.empty() || name.find_first_of("{}|") != std::string::npos)
        throw json.mismatch("the name of a field to be at least one character, none of them {, } and |",
                            in_quotes(name));
      read_field(name, json);
    }
  }

  void read_format() {
    JsonValue const json = json_.get("format", "one of tsv, csv, jsonl, lines");
    auto const name = json.as<std::string>();
    if (name == "tsv")
      task_.form.format = DataFormat::tsv;
    else if (name == "csv")
      task_.form.format = DataFormat::csv;
    else if (name == "jsonl")
      task_.form.format = DataFormat::jsonl;
    else if (name == "lines")
      task_.form.format = DataFormat::lines;
    else
      throw json.mismatch("one of tsv, csv, jsonl, lines");
  }

  [[nodiscard]] bool is(DataFormat format) const { return task_.form.format == format; }

  void read_columns(JsonValue const& json) {
    if (!is(DataFormat::tsv) && !is(DataFormat::csv))
      throw json.mismatch("no such key with a format other than tsv and csv");
    for (JsonValue const& column : elements(json, "an array with the names of the columns", most_columns)) {
      auto name = column.as<std::string>();
      if (!columns_.insert(name).second) throw column.mismatch("a name that differs from those before");
      task_.form.columns.push_back(std::move(name));
    }
  }

  static JsonPath json_path(JsonValue const& json) {
    return read_text_of(json, [](std::string const& text) { return JsonPath(text); });
  }

  void read_examples(JsonValue const& json) {
    if (!is(DataFormat::jsonl)) throw json.mismatch("no such key with a format other than jsonl");
    JsonPath const path = json_path(json);
    if (!path.is_list()) throw json.mismatch("a path that ends in \"[]\"");
    task_.form.examples = path;
  }

  void read_field(std::string const& name, JsonValue const& json) {
    Field field{name, {}};
    std::string const expected = "a place, an array of places or an object with \"from\"";
    auto read_places = [&](JsonValue const& places) {
      if (!places.is_string() && !places.is_array()) throw places.mismatch(expected);
      if (places.is_string()) return add_place(field, places);
      for (JsonValue const& place : elements(places, expected, most_places)) add_place(field, place);
    };
    if (!json.is_object()) {
      read_places(json);
    } else {
      allow_keys(json, {"from", "values", "may_be_blank"});
      read_places(json.get("from", "a place or an array of places"));
      if (auto const values = json.find("values"))
        for (auto const& [value, text] : members(*values, "an object with a text for each value"))
          field.values.emplace_back(value, text.as<std::string>());
      if (auto const blank = json.find("may_be_blank")) field.may_be_blank = blank->as<bool>();
    }
    add_field(std::move(field));
  }

  /// @throws InvalidArgument if there are too many.
  void add_field(Field field) {
    if (task_.form.fields.size() == most_fields)
      throw InvalidArgument("expected at most " + std::to_string(most_fields) + " fields in a task, found more");
    indices_.emplace(field.name, task_.form.fields.size());
    task_.form.fields.push_back(std::move(field));
  }

  void add_place(Field& field, JsonValue const& json) const {
    read_text_of(json, [&](std::string const& place) { return add_place(field, place); });
  }

  /// @throws InvalidArgument if no file of this format can have such a place.
  void add_place(Field& field, std::string const& place) const {
    std::vector<std::string> const& columns = task_.form.columns;
    if (!columns.empty() && !columns_.contains(place)) {
      std::string names;
      constexpr std::size_t shown = 200;
      for (std::string const& column : columns)
        if (names.size() <= shown) names += (names.empty() ? "" : ", ") + column;
      throw InvalidArgument("expected one of the columns " + model::detail::printable(names, shown) + ", found " +
                            in_quotes(place));
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

  /// The index of a field by name; a field that is not declared is the place of that name.
  std::size_t index_of(std::string const& name) {
    if (auto const found = indices_.find(name); found != indices_.end()) return found->second;
    Field field{name, {}};
    add_place(field, name);
    add_field(std::move(field));
    return task_.form.fields.size() - 1;
  }

  TextTemplate text_template(JsonValue const& json) {
    return read_text_of(json, [&](std::string const& text) {
      return TextTemplate(text, [&](std::string const& name) { return index_of(name); });
    });
  }

  void read_candidates() {
    std::string const expected = "an array of texts or an object with \"list\" and \"text\"";
    JsonValue const json = json_.get("candidates", expected);
    if (json.is_object()) return read_candidate_list(json);
    std::unordered_set<std::string> texts;
    std::size_t const count = json.json().size();
    if (json.is_array() && count > most_candidates)
      throw json.mismatch("2 to " + std::to_string(most_candidates) + " candidates", std::to_string(count));
    for (JsonValue const& candidate : elements(json, expected, most_candidates)) {
      task_.candidates.push_back(text_template(candidate));
      if (candidate.as<std::string>().empty()) throw candidate.mismatch("at least one character");
      if (!texts.insert(candidate.as<std::string>()).second)
        throw candidate.mismatch("a text that differs from those before");
    }
    if (count < 2)
      throw json.mismatch("2 to " + std::to_string(most_candidates) + " candidates", std::to_string(count));
  }

  void read_candidate_list(JsonValue const& json) {
    allow_keys(json, {"list", "text"});
    JsonValue const list = json.get("list", "the path of a list");
    if (!is(DataFormat::jsonl)) throw list.mismatch("no such key with a format other than jsonl");
    JsonPath const path = json_path(list);
    std::size_t const outer = path.lists() == 0 ? 0 : path.lists() - 1;
    if (path.lists() == 0 || (outer > 0 && (!task_.form.examples || !path.shares_lists(*task_.form.examples, outer))))
      throw list.mismatch("a path with one \"[]\" more than it shares with the key \"examples\"");
    // Otherwise each of its elements would be an example, and a candidate of all the others.
    if (task_.form.examples && path.lists() == task_.form.examples->lists() &&
        path.shares_lists(*task_.form.examples, path.lists()))
      throw list.mismatch("another list than that of the key \"examples\", " + in_quotes(task_.form.examples->text()));
    if (balanced_ && task_.split.balanced) throw balanced_->mismatch("false where the candidates are a list");
    if (indices_.contains("candidate"))
      throw json.mismatch("no other field \"candidate\": it is the list's element", "one");
    task_.form.list = path;
    task_.candidate_field = task_.form.fields.size();
    if (task_.candidate_field == most_fields)
      throw json.mismatch("at most " + std::to_string(most_fields - 1) + " other fields", "more");
    add_field(Field{"candidate", {}});
    task_.candidates.push_back(text_template(json.get("text", "a string")));
    if (task_.candidates[0].is_fixed()) throw json.get("text").mismatch("a text with the field {candidate}");
  }

  [[nodiscard]] std::uint64_t last_candidate() const {
    return task_.form.list ? most_candidates - 1 : task_.candidates.size() - 1;
  }

  [[nodiscard]] std::uint32_t candidate_index(JsonValue const& json) const {
    return static_cast<std::uint32_t>(json.whole_number(0, last_candidate()));
  }

  void read_label() {
    JsonValue const json = json_.get("label", "an object with \"field\"");
    allow_keys(json, {"field", "values", "ranges"});
    task_.label.field =
        read_text_of(json.get("field", "the name of a field"), [&](std::string const& name) { return index_of(name); });
    auto const values = json.find("values");
    auto const ranges = json.find("ranges");
    if (values && ranges) throw ranges->mismatch("no such key with \"values\"");
    if (values)
      for (auto const& [value, index] : members(*values, "an object with the index of a candidate for each value"))
        task_.label.values.emplace_back(value, candidate_index(index));
    if (ranges)
      for (JsonValue const& range : elements(*ranges, "an array of ranges", most_ranges)) read_range(range);
  }

  void read_range(JsonValue const& json) {
    allow_keys(json, {"above", "at_least", "below", "at_most", "candidate"});
    LabelRange range;
    auto read = [&](char const* key, std::optional<double>& bound) {
      if (auto const found = json.find(key)) bound = found->as<double>();
    };
    read("above", range.above);
    read("at_least", range.at_least);
    read("below", range.below);
    read("at_most", range.at_most);
    if (!range.above && !range.at_least && !range.below && !range.at_most)
      throw json.mismatch("at least one of the keys above, at_least, below, at_most", "none");
    range.candidate = candidate_index(json.get("candidate", "the index of a candidate"));
    task_.label.ranges.push_back(range);
  }

  void read_metric() {
    std::string const expected = "one of accuracy, f1, exact_match";
    auto const json = json_.find("metric");
    if (!json) return;
    if (!json->is_string() && !json->is_object()) throw json->mismatch(expected + ", or an object with \"name\"");
    JsonValue const name = json->is_string() ? *json : json->get("name", expected);
    for (Metric::Kind kind : {Metric::Kind::accuracy, Metric::Kind::f1, Metric::Kind::exact_match})
      if (name.is(to_string(kind))) return read_metric(*json, kind);
    throw name.mismatch(expected);
  }

  void read_metric(JsonValue const& json, Metric::Kind kind) {
    task_.metric.kind = kind;
    if (kind == Metric::Kind::f1 && json.is_string())
      throw json.mismatch(
          "an object with \"name\" and \"positive\" for f1, which needs to know the positive candidate");
    if (json.is_string()) return;
    if (kind == Metric::Kind::f1) {
      allow_keys(json, {"name", "positive"});
      task_.metric.positive = candidate_index(json.get("positive", "the index of a candidate"));
    } else if (kind == Metric::Kind::exact_match) {
      allow_keys(json, {"name", "group"});
      if (auto const group = json.find("group")) task_.group = text_template(*group);
    } else {
      allow_keys(json, {"name"});
    }
  }

  void read_score() {
    if (auto const shared = json_.find("shared_beginning")) {
      if (!shared->is("prompt") && !shared->is("candidate")) throw shared->mismatch("prompt or candidate");
      task_.candidates_own_shared_beginning = shared->is("candidate");
    }
    auto const json = json_.find("score");
    if (!json) return;
    if (json->is_object()) {
      allow_keys(*json, {"against"});
      task_.neutral = text_template(json->get("against", "a string"));
      task_.scoring.candidate = model::CandidateScore::against_neutral;
    } else {
      if (!json->is("mean") && !json->is("sum")) throw json->mismatch("mean, sum or an object with \"against\"");
      task_.scoring.candidate = json->is("sum") ? model::CandidateScore::sum : model::CandidateScore::mean;
    }
  }

  static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

  JsonValue json_;
  std::optional<JsonValue> balanced_;
  std::unordered_set<std::string> columns_;               ///< the names in task_.form.columns
  std::unordered_map<std::string, std::size_t> indices_;  ///< of task_.form.fields, by name
  Task task_;
};

}  // namespace

Task parse_task(std::string_view json, std::string const& file) {
  return TaskParser(JsonValue::parse(json, file, task_limits)).parse();
}

Task load_task_file(std::string const& file) {
  return TaskParser(JsonValue::load(file, task_limits)).parse();
}

}  // namespace zeroth::cli
