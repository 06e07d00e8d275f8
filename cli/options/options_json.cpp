// SPDX-License-Identifier: MIT
#include "options_json.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>

#include "io/json.hpp"
#include "io/output.hpp"
#include "io/paths.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// What an option changes.
enum class Scope : std::uint8_t {
  steps,   ///< what the steps of a run do
  around,  ///< where things lie, how fast it goes, and what is written
};

/// Calls `field(key, option, scope)` with every option of a run.
template <class Options, class Field>
void for_each_option(Options& options, Field const& field) {
  using enum Scope;
  field("model", options.model, around);
  field("task", options.task, around);
  field("data", options.data, around);
  field("out", options.out, around);
  field("method", options.method, steps);
  field("sparsity", options.sparsity, steps);
  field("sampler", options.sampler, steps);
  field("estimator", options.estimator, steps);
  field("epsilon", options.epsilon, steps);
  field("learning_rate", options.learning_rate, steps);
  field("schedule", options.schedule, steps);
  field("warmup_steps", options.warmup_steps, steps);
  field("steps", options.steps, steps);
  field("batch_size", options.batch_size, steps);
  field("micro_batches", options.micro_batches, steps);
  field("train_examples", options.train_examples, steps);
  field("validation_examples", options.validation_examples, steps);
  field("eval_every", options.evaluate_every, steps);
  field("eval_examples", options.evaluation_examples, steps);
  field("shots", options.shots, steps);
  field("samples", options.samples, steps);
  field("samples_per_probe", options.samples_per_probe, around);
  field("seed", options.seed, steps);
  field("backend", options.backend, steps);
  field("threads", options.threads, around);
  field("cuda_device", options.cuda_device, around);
  field("random_model", options.random_model, around);
  field("update", options.update, steps);
  field("beta_1", options.beta_1, steps);
  field("window", options.window, steps);
  field("beta_2", options.beta_2, steps);
  field("adam_epsilon", options.adam_epsilon, steps);
  field("weight_decay", options.weight_decay, steps);
  field("clip", options.clip, steps);
  field("dtype", options.dtype, steps);
  field("compute_dtype", options.compute_dtype, steps);
  field("rounding", options.rounding, steps);
  field("max_tokens", options.max_tokens, steps);
  field("adapter", options.adapter, around);
  field("lora_rank", options.lora_rank, steps);
  field("lora_alpha", options.lora_alpha, steps);
  field("lora_targets", options.lora_targets, steps);
  field("save", options.save, around);
  field("save_step", options.save_step, around);
}

template <class T>
Json json_of(T const& value) {
  if constexpr (is_optional<T>)
    return value ? json_of(*value) : Json(nullptr);
  else if constexpr (std::is_enum_v<T>)
    return to_string(value);
  else if constexpr (std::same_as<T, fs::path>)
    return value.empty() ? Json(nullptr) : Json(path_text(value));
  else if constexpr (std::same_as<T, std::vector<std::string>>)
    return value.empty() ? Json(nullptr) : Json(value);
  else
    return value;
}

/// The value of an enum by its name. All enums count from 0, and what comes after the last is "unknown".
template <class Enum>
void read_name(model::JsonValue const& json, Enum& value) {
  std::string names;
  for (std::uint8_t i = 0; i < 8; ++i) {
    std::string_view const name = to_string(static_cast<Enum>(i));
    if (name == "unknown") break;
    if (json.is(name)) return void(value = static_cast<Enum>(i));
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw json.mismatch("one of " + names);
}

fs::path read_path(model::JsonValue const& text) {
  try {
    return path_of_text(text.as<std::string>());
  } catch (InvalidArgument const& error) {
    throw InvalidFile(text.place() + ": " + error.what());
  }
}

template <class T>
void read(model::JsonValue const& object, std::string_view key, T& value) {
  if constexpr (is_optional<T>) {
    value.reset();
    if (object.find(key)) read(object, key, value.emplace());
  } else if constexpr (std::is_enum_v<T>) {
    read_name(object.get(key, "a name"), value);
  } else if constexpr (std::same_as<T, fs::path>) {
    auto const text = object.find(key);
    value = text ? read_path(*text) : fs::path();
  } else if constexpr (std::same_as<T, std::vector<std::string>>) {
    value = object.find_array<std::string>(key).value_or(T{});
  } else {
    value = object.get<T>(key);
  }
}

/// Options without a value of their own until a run begins, which then always have one. Others may be null.
constexpr std::array<std::string_view, 6> set_in_a_run{"sampler", "samples",    "learning_rate",
                                                       "steps",   "eval_every", "max_tokens"};

/// Reads an option of a run that was begun.
/// @param what the key is part of, for messages: "options.json: key '"
template <class T>
void read_complete(model::JsonValue const& object, std::string_view key, T& value, std::string const& what) {
  read(object, key, value);
  if constexpr (is_optional<T>) {
    bool const must_be = std::find(set_in_a_run.begin(), set_in_a_run.end(), key) != set_in_a_run.end();
    if (must_be && !value) throw InvalidFile(what + std::string(key) + "': expected a value, found none");
  }
}

constexpr std::string_view note_prefix = "option ";
constexpr char const* adapter_note = "adapter";

}  // namespace

Json to_json(FinetuneOptions const& options) {
  Json json;
  for_each_option(options, [&](char const* key, auto const& value, Scope) { json[key] = json_of(value); });
  json["task"] = path_text(options.task);
  return json;
}

std::string text_of(FinetuneOptions options) {
  for (fs::path* const given : {&options.model, &options.data, &options.out, &options.adapter})
    if (!given->empty()) *given = absolute_path(*given);
  if (options.task.ends_with(".json")) options.task = absolute_path(options.task).string();
  return json_text(to_json(options), 2) + "\n";
}

void write_options(fs::path const& path, std::string const& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

FinetuneOptions read_options(fs::path const& path) {
  model::JsonValue const json = model::JsonValue::load(path.string());
  FinetuneOptions options;
  std::vector<std::string_view> keys;
  for_each_option(options, [&](char const* key, auto& value, Scope) {
    read_complete(json, key, value, path.string() + ": key '");
    keys.emplace_back(key);
  });
  json.require_keys_among(keys);
  options.task = read_path(json.get("task")).string();
  // By these is divided.
  for (char const* key : {"batch_size", "micro_batches"}) (void)json.get(key).whole_number(1, 65536);
  return options;
}

std::vector<JournalField> option_notes(FinetuneOptions const& options) {
  std::vector<JournalField> notes;
  for_each_option(options, [&](char const* key, auto const& value, Scope scope) {
    if (scope == Scope::steps) notes.push_back({std::string(note_prefix) + key, json_text(json_of(value))});
  });
  notes.push_back({std::string(note_prefix) + adapter_note, json_of(!options.adapter.empty()).dump()});
  return notes;
}

FinetuneOptions options_of(JournalHeader const& header, std::string const& journal) {
  std::string text;
  for (JournalField const& note : header.notes)
    if (note.name.starts_with(note_prefix))
      text += (text.empty() ? "{" : ", ") + Json(note.name.substr(note_prefix.size())).dump() + ": " + note.value;
  if (text.empty())
    throw InvalidFile(journal + ": expected a journal that zeroth finetune wrote, found one without its options");
  model::JsonValue const json = model::JsonValue::parse(text + "}", journal);
  FinetuneOptions options;
  for_each_option(options, [&](char const* key, auto& value, Scope scope) {
    if (scope == Scope::steps) read_complete(json, key, value, journal + ": note 'option ");
  });
  return options;
}

bool goes_on_with_an_adapter(JournalHeader const& header) {
  return value_of(header.notes, std::string(note_prefix) + adapter_note) == "true";
}

}  // namespace zeroth::cli
