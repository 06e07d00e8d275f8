// SPDX-License-Identifier: MIT
// Every option has a row in the table, and everything derived from the rows distinguishes every option.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <zeroth/journal/header.hpp>

#include "../../cli/options/command_options.hpp"
#include "../../cli/options/option_table.hpp"
#include "../../cli/options/options_json.hpp"
#include "catch.hpp"
#include "files.hpp"

using namespace zeroth::cli;
using zeroth_test::contains_text;

namespace {

using Names = std::vector<std::string>;

/// Converts to any field.
struct AnyField {
  template <class T>
  operator T() const;
};

template <class Struct, std::size_t... i>
constexpr bool takes(std::index_sequence<i...> /*fields*/) {
  return requires {
    Struct{(static_cast<void>(i), AnyField{})...};
  };
}

/// How many initializers an aggregate takes: one for each base and each field.
template <class Struct, std::size_t least = 0>
constexpr std::size_t initializers() {
  if constexpr (takes<Struct>(std::make_index_sequence<least + 1>{}))
    return initializers<Struct, least + 1>();
  else
    return least;
}

/// How many rows of the table concern fields of that struct itself.
template <class Struct>
std::size_t rows_of() {
  auto const is_of = [](auto const& row) {
    return std::is_same_v<typename std::decay_t<decltype(row)>::Owner, Struct> ? std::size_t{1} : std::size_t{0};
  };
  return std::apply([&](auto const&... rows) { return (is_of(rows) + ...); }, option_table());
}

template <class Struct, class... Bases>
void check_each_field_has_a_row() {
  static_assert((std::derived_from<Struct, Bases> && ...));
  CHECK(rows_of<Struct>() == initializers<Struct>() - sizeof...(Bases));
}

/// A value that differs from the field's and that its option accepts.
template <class T>
T another(WholeNumber<T> const& values, T value) {
  return value + 1 >= values.least && value < values.most ? std::max<T>(value + 1, 1) : values.least;
}
double another(RealNumber const& /*values*/, double value) {
  return value == 0.25 ? 0.5 : 0.25;
}
template <class Enum>
Enum another(OneOf<Enum> const& values, Enum value) {
  return values.choices[values.choices[0] == value ? 1 : 0];
}
std::filesystem::path another(Path const& /*values*/, std::filesystem::path const& value) {
  return value.string() + "/another one";
}
std::string another(Text const& /*values*/, std::string const& value) {
  return value + "another";
}
std::optional<std::uint32_t> another(Device const& /*values*/, std::optional<std::uint32_t> value) {
  return value ? std::nullopt : std::optional(std::uint32_t{3});
}
Names another(Globs const& /*values*/, Names const& value) {
  return value.empty() ? Names{"a.*", "b"} : Names{};
}
bool another(Flag const& /*values*/, bool value) {
  return !value;
}

template <class Row, class Field>
Field another_of(Row const& row, Field const& field) {
  if constexpr (MayBeOpen<typename Row::Values, Field>)
    return another(row.values, field.value_or(typename Field::value_type{}));
  else
    return another(row.values, field);
}

template <class Row, class Field>
std::string word_for(Row const& row, Field const& field) {
  if constexpr (MayBeOpen<typename Row::Values, Field>)
    return row.values.text(*field);
  else
    return row.values.text(field);
}

/// The flags of the options whose fields differ.
template <class Options>
Names differences(Options const& a, Options const& b) {
  Names flags;
  for_each_option(a, [&](auto const& row, auto const& field) {
    if (field != b.*row.field) flags.push_back(row.flag);
  });
  return flags;
}

/// The keys whose values differ.
Names differences(nlohmann::ordered_json const& a, nlohmann::ordered_json const& b) {
  REQUIRE(a.size() == b.size());
  Names keys;
  for (auto const& [key, value] : a.items())
    if (b.at(key) != value) keys.push_back(key);
  return keys;
}

/// The names of the notes whose values differ.
Names differences(std::vector<zeroth::JournalField> const& a, std::vector<zeroth::JournalField> const& b) {
  REQUIRE(a.size() == b.size());
  Names names;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].name == b[i].name);
    if (a[i].value != b[i].value) names.push_back(a[i].name);
  }
  return names;
}

/// Options as a run has them: no default left unset.
FinetuneOptions complete_options() {
  FinetuneOptions options;
  options.model = "/model";
  options.task = "/task.json";
  options.data = "/data";
  options.out = "/out";
  options.sampler = SamplerName::gaussian;
  options.samples = 1;
  options.epsilon = 1e-3;
  options.learning_rate = 1;
  options.steps = 4;
  options.evaluate_every = 2;
  options.max_tokens = 64;
  options.threads = 1;
  return options;
}

/// Options after a round trip through options.json.
FinetuneOptions through_file(FinetuneOptions const& options) {
  zeroth_test::TemporaryDirectory const directory;
  return read_options(zeroth_test::write_file(directory, "options.json", text_of(options)));
}

/// Options after a round trip through a journal.
FinetuneOptions through_notes(FinetuneOptions const& options) {
  zeroth::JournalHeader header;
  header.notes = option_notes(options);
  return options_of(header, "journal").value();
}

/// Options parsed from the command line with these words.
template <class Options>
Options through_words(Options options, Names const& words) {
  CLI::App command;
  add_options(command, options);
  for (CLI::Option* option : command.get_options()) option->required(false);
  command.parse(Names(words.rbegin(), words.rend()));
  return options;
}

template <class Options>
void check_command_line() {
  Options const options;
  std::set<std::string> flags;
  CLI::App command;
  Options ignored;
  add_options(command, ignored);
  for_each_option(options, [&](auto const& row, auto const& field) {
    INFO(row.flag);
    CHECK(flags.insert(row.flag).second);
    CHECK_FALSE(row.details.help.empty());
    CHECK_THAT(command.help(), contains_text(row.details.help));
    Options changed = options;
    changed.*row.field = another_of(row, field);
    std::string const word = word_for(row, changed.*row.field);
    bool const is_flag = std::is_same_v<std::decay_t<decltype(field)>, bool>;
    Names words{row.flag, word};
    if (is_flag) words = {row.flag};
    if (!row.flag.starts_with('-')) words = {word};
    CHECK(differences(options, changed) == Names{row.flag});
    CHECK(differences(through_words(options, words), changed).empty());
  });
}

}  // namespace

TEST_CASE("each field of the options has a row in the table of options") {
  check_each_field_has_a_row<BaseModelOptions>();
  check_each_field_has_a_row<ModelOptions, BaseModelOptions>();
  check_each_field_has_a_row<DeviceOptions>();
  check_each_field_has_a_row<ComputeOptions, DeviceOptions>();
  check_each_field_has_a_row<TaskOptions, ModelOptions, ComputeOptions>();
  check_each_field_has_a_row<MethodOptions>();
  check_each_field_has_a_row<LoraArguments>();
  check_each_field_has_a_row<BesideArguments>();
  check_each_field_has_a_row<FinetuneOptions, TaskOptions, MethodOptions, LoraArguments, BesideArguments>();
  check_each_field_has_a_row<ReplayModelOptions, ModelOptions, DeviceOptions>();
  check_each_field_has_a_row<JournalOptions>();
  check_each_field_has_a_row<EvalOptions, TaskOptions>();
  check_each_field_has_a_row<ScoreOptions, ModelOptions, ComputeOptions>();
  check_each_field_has_a_row<zeroth::model::SamplingOptions>();
  check_each_field_has_a_row<GenerateOptions, ModelOptions, ComputeOptions, zeroth::model::SamplingOptions>();
  check_each_field_has_a_row<TokenizeOptions, BaseModelOptions>();
  check_each_field_has_a_row<ExportOptions, ModelOptions>();
  check_each_field_has_a_row<InspectOptions, BaseModelOptions>();
  check_each_field_has_a_row<TasksOptions>();
  check_each_field_has_a_row<CompletionOptions>();
}

TEST_CASE("the command line sets the field of each option, and no other") {
  check_command_line<FinetuneOptions>();
  check_command_line<ReplayModelOptions>();
  check_command_line<JournalOptions>();
  check_command_line<EvalOptions>();
  check_command_line<ScoreOptions>();
  check_command_line<GenerateOptions>();
  check_command_line<TokenizeOptions>();
  check_command_line<ExportOptions>();
  check_command_line<InspectOptions>();
  check_command_line<TasksOptions>();
  check_command_line<CompletionOptions>();
}

TEST_CASE("options.json tells apart all options that a run records, and gives them back") {
  FinetuneOptions const options = complete_options();
  CHECK(differences(through_file(options), options).empty());
  for_each_option(options, [&](auto const& row, auto const& field) {
    INFO(row.flag);
    FinetuneOptions changed = options;
    changed.*row.field = another_of(row, field);
    bool const is_recorded = row.details.recorded != Recorded::nowhere;
    CHECK(differences(to_json(options), to_json(changed)) == (is_recorded ? Names{row.details.key} : Names{}));
    CHECK(differences(through_file(changed), changed) == (is_recorded ? Names{} : Names{row.flag}));
  });
}

TEST_CASE("the notes of a journal tell apart all options that steps depend on, and give them back") {
  FinetuneOptions const options = complete_options();
  for_each_option(options, [&](auto const& row, auto const& field) {
    INFO(row.flag);
    FinetuneOptions changed = options;
    changed.*row.field = another_of(row, field);
    bool const is_noted = row.details.recorded == Recorded::in_journal;
    // For an adapter, the journal says only whether there is one; its own hash says which.
    CHECK(differences(option_notes(options), option_notes(changed)) ==
          (is_noted || row.flag == "--adapter" ? Names{"option " + row.details.key} : Names{}));
    if (is_noted) CHECK(through_notes(changed).*row.field == changed.*row.field);
  });
}

TEST_CASE("options.json and the notes of a journal have these keys in this order") {
  // Runs of earlier versions are resumed and replayed with these keys. They lack a new option, which must work without
  // a value.
  Names keys;
  nlohmann::ordered_json const json = to_json(complete_options());
  for (auto const& [key, value] : json.items()) keys.push_back(key);
  CHECK(keys == Names{"model",
                      "task",
                      "data",
                      "out",
                      "method",
                      "sparsity",
                      "sampler",
                      "estimator",
                      "epsilon",
                      "learning_rate",
                      "schedule",
                      "warmup_steps",
                      "steps",
                      "batch_size",
                      "micro_batches",
                      "train_examples",
                      "validation_examples",
                      "eval_every",
                      "eval_examples",
                      "shots",
                      "samples",
                      "samples_per_probe",
                      "seed",
                      "backend",
                      "threads",
                      "cuda_device",
                      "random_model",
                      "update",
                      "beta_1",
                      "window",
                      "beta_2",
                      "adam_epsilon",
                      "weight_decay",
                      "clip",
                      "dtype",
                      "compute_dtype",
                      "no_mmap",
                      "rounding",
                      "max_tokens",
                      "adapter",
                      "lora_rank",
                      "lora_alpha",
                      "lora_targets",
                      "delta",
                      "delta_choice",
                      "tune_scales",
                      "save",
                      "save_step"});
  Names noted;
  for (zeroth::JournalField const& note : option_notes(complete_options())) noted.push_back(note.name);
  Names expected;
  std::set<std::string> const not_noted{"model",     "task",        "data",         "out",     "samples_per_probe",
                                        "threads",   "cuda_device", "random_model", "adapter", "save",
                                        "save_step", "no_mmap"};
  for (std::string const& key : keys)
    if (not_noted.count(key) == 0) expected.push_back("option " + key);
  expected.emplace_back("option adapter");
  CHECK(noted == expected);
}

TEST_CASE("a value in options.json that the command line would reject is rejected with its key") {
  zeroth_test::TemporaryDirectory const directory;
  nlohmann::ordered_json const good = to_json(complete_options());
  auto check_rejected = [&](std::string const& key, nlohmann::ordered_json const& value, std::string const& expected) {
    INFO(key);
    nlohmann::ordered_json changed = good;
    changed[key] = value;
    std::filesystem::path const file = zeroth_test::write_file(directory, "options.json", changed.dump());
    CHECK_THROWS_WITH(read_options(file), contains_text(file.string() + ": key '" + key + "': expected " + expected));
  };
  FinetuneOptions const options = complete_options();
  for_each_option(options, [&]<class Row>(Row const& row, auto const&) {
    if (row.details.recorded == Recorded::nowhere) return;
    std::string const& key = row.details.key;
    if constexpr (requires { row.values.least; }) {
      check_rejected(key, -1, "an unsigned integer");
      if (row.values.least > 0) check_rejected(key, 0, row.values.expected());
    } else if constexpr (std::is_same_v<typename Row::Values, RealNumber>) {
      check_rejected(key, -1.5, row.values.expected());
    } else if constexpr (requires { row.values.choices; }) {
      check_rejected(key, "none of them", row.values.expected());
      check_rejected(key, 0, row.values.expected());
    } else if constexpr (std::is_same_v<typename Row::Values, Flag>) {
      check_rejected(key, 1, "");
    } else {
      check_rejected(key, false, "");
    }
    if (row.details.filled_in) check_rejected(key, nullptr, "a value, found none");
  });
}

TEST_CASE("summary.json has null for the options that a run does not use") {
  FinetuneOptions options = complete_options();
  CHECK(differences(to_json(options), used_options(options)) ==
        Names{"beta_1", "window", "beta_2", "adam_epsilon", "rounding", "delta_choice"});
  options.update = UpdateName::adamm;
  CHECK(differences(to_json(options), used_options(options)) == Names{"window", "rounding", "delta_choice"});
  options.update = UpdateName::window_momentum;
  CHECK(differences(to_json(options), used_options(options)) ==
        Names{"beta_2", "adam_epsilon", "rounding", "delta_choice"});
  options.method = Method::mezo;
  options.dtype = zeroth::DataType::bf16;
  options.update = UpdateName::momentum;
  options.delta = 0.5;
  CHECK(differences(to_json(options), used_options(options)) == Names{"sparsity", "window", "beta_2", "adam_epsilon"});
}
