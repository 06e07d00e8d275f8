// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/format/printable.hpp>
#include <zeroth/model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth/model/tokenizer/sentencepiece_model.hpp>

namespace zeroth::model::detail {

/// Throws InvalidFile, naming the file, if the text is no JSON, or nested so deeply that a recursion over it is unsafe.
inline nlohmann::json parse_json(std::string_view text, const std::string& path) {
  constexpr int deepest = 64;
  const auto check_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > deepest) throw InvalidFile(path + ": expected JSON nested at most 64 deep");
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), check_depth);
  } catch (const nlohmann::json::exception& error) {
    throw InvalidFile(path + ": expected JSON, found " + printable(error.what()));
  }
}

/// A field of a JSON file that knows its path, for messages: "path: field 'model.type': expected ..., found ...".
class JsonField {
 public:
  using Json = nlohmann::json;

  JsonField(const Json& value, const std::string& file) : value_(&value), file_(&file) {}

  const Json& json() const { return *value_; }
  const std::string& name() const { return name_; }

  [[noreturn]] void fail(const std::string& expected) const {
    throw InvalidFile(*file_ + ": field '" + name_ + "': expected " + expected + ", found " + found());
  }

  /// The member `key` of an object, null where it is missing. Fails if this is no object.
  JsonField operator[](const std::string& key) const {
    static const Json null;
    if (!value_->is_object()) fail("an object");
    const auto member = value_->find(key);
    return {member == value_->end() ? null : *member, *file_, name_.empty() ? key : name_ + "." + key};
  }

  /// An element of an array.
  JsonField operator[](std::size_t i) const { return {(*value_)[i], *file_, name_ + "[" + std::to_string(i) + "]"}; }

  bool is_null() const { return value_->is_null(); }

  /// The number of elements. Fails if this is no array.
  std::size_t size() const {
    if (!value_->is_array()) fail("an array");
    return value_->size();
  }

  const std::string& text() const {
    if (!value_->is_string()) fail("a string");
    return value_->get_ref<const std::string&>();
  }

  /// A token's id.
  std::int32_t id() const {
    if (!value_->is_number_integer() || *value_ < 0 || *value_ > std::numeric_limits<std::int32_t>::max()) {
      fail("an id from 0 to 2^31 - 1");
    }
    return value_->get<std::int32_t>();
  }

  bool boolean(bool otherwise) const {
    if (value_->is_null()) return otherwise;
    if (!value_->is_boolean()) fail("true or false");
    return value_->get<bool>();
  }

  /// Whether this is that string.
  bool is(std::string_view text) const { return value_->is_string() && value_->get_ref<const std::string&>() == text; }

 private:
  JsonField(const Json& value, const std::string& file, std::string name)
      : value_(&value), file_(&file), name_(std::move(name)) {}

  /// The value where it is short, what it is where it is not.
  std::string found() const {
    if (value_->is_array() && value_->size() > 8) return "an array of " + std::to_string(value_->size());
    if (value_->is_object() && value_->size() > 8) return "an object of " + std::to_string(value_->size());
    return printable(value_->dump());
  }

  const Json* value_;
  const std::string* file_;
  std::string name_;
};

/// The elements of a "Sequence" whose steps are in `list`, sequences in it unrolled; a single step; none for null.
inline void unroll_steps(const JsonField& step, const std::string& list, std::vector<JsonField>& steps) {
  if (step.is_null()) return;
  if (!step["type"].is("Sequence")) return steps.push_back(step);
  const JsonField elements = step[list];
  for (std::size_t i = 0; i < elements.size(); ++i) unroll_steps(elements[i], list, steps);
}

inline std::vector<JsonField> unrolled_steps(const JsonField& step, const std::string& list) {
  std::vector<JsonField> steps;
  unroll_steps(step, list, steps);
  return steps;
}

/// The tokens of a tokenizer.json by id: views of the JSON.
struct JsonTokens {
  std::vector<std::string_view> texts;
  std::vector<std::int32_t> types;
  std::vector<AddedTokenRule> rules;

  std::optional<std::int32_t> find(std::string_view text) const {
    for (std::size_t i = texts.size(); i-- > 0;) {
      if (texts[i] == text && types[i] != static_cast<std::int32_t>(TokenType::unused)) {
        return static_cast<std::int32_t>(i);
      }
    }
    return std::nullopt;
  }
};

/// Puts tokens at their ids.
class JsonTokenCollector {
 public:
  void add(const JsonField& where, std::int32_t id, std::string_view text) {
    const auto [entry, is_new] = texts_.try_emplace(id, text);
    if (!is_new && entry->second != text) {
      where.fail("an id of its own, not that of \"" + printable(entry->second) + "\"");
    }
  }

  /// The tokens; an id below the highest that none has is an unused token without text. Fails if the highest is far
  /// beyond the number of tokens.
  JsonTokens tokens(const JsonField& where) const {
    if (texts_.empty()) where.fail("tokens");
    const auto highest = static_cast<std::size_t>(texts_.rbegin()->first);
    if (highest > texts_.size() + 65536) {
      where.fail("ids up to about the number of tokens, " + std::to_string(texts_.size()) + ", not " +
                 std::to_string(highest));
    }
    JsonTokens result;
    result.texts.resize(highest + 1);
    result.types.assign(highest + 1, static_cast<std::int32_t>(TokenType::unused));
    for (const auto& [id, text] : texts_) {
      result.texts[static_cast<std::size_t>(id)] = text;
      result.types[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(TokenType::normal);
    }
    return result;
  }

 private:
  std::map<std::int32_t, std::string_view> texts_;
};

/// The tokens of the model, in `collector`, and the added tokens.
inline JsonTokens read_json_tokens(const JsonField& root, JsonTokenCollector& collector) {
  const JsonField added = root["added_tokens"];
  const std::size_t count = added.is_null() ? 0 : added.size();
  for (std::size_t i = 0; i < count; ++i) collector.add(added[i], added[i]["id"].id(), added[i]["content"].text());
  JsonTokens tokens = collector.tokens(root["model"]["vocab"]);
  for (std::size_t i = 0; i < count; ++i) {
    const JsonField token = added[i];
    const std::int32_t id = token["id"].id();
    const bool special = token["special"].boolean(false);
    if (!special && token["single_word"].boolean(false))
      token["single_word"].fail("false for a token that is not special");
    tokens.types[static_cast<std::size_t>(id)] =
        static_cast<std::int32_t>(special ? TokenType::control : TokenType::user_defined);
    const AddedTokenRule rule{.id = id,
                              .strip_left = token["lstrip"].boolean(false),
                              .strip_right = token["rstrip"].boolean(false),
                              .normalized = token["normalized"].boolean(!special)};
    if (rule.strip_left || rule.strip_right || rule.normalized) tokens.rules.push_back(rule);
  }
  return tokens;
}

/// The ids that a text's template puts before and after it.
struct JsonTemplate {
  std::optional<std::int32_t> before;
  std::optional<std::int32_t> after;
};

inline JsonTemplate read_json_template(const JsonField& root) {
  JsonTemplate result;
  for (const JsonField& step : unrolled_steps(root["post_processor"], "processors")) {
    // It trims the places of tokens in the text, not the tokens.
    if (step["type"].is("ByteLevel")) continue;
    if (!step["type"].is("TemplateProcessing")) step.fail("\"TemplateProcessing\" or \"ByteLevel\"");
    const JsonField single = step["single"];
    bool after = false;
    for (std::size_t i = 0; i < single.size(); ++i) {
      if (const JsonField sequence = single[i]["Sequence"]; !sequence.is_null()) {
        if (after) single.fail("one sequence");
        after = true;
        continue;
      }
      std::optional<std::int32_t>& id = after ? result.after : result.before;
      if (id) single.fail("at most one special token before the text and one after it");
      const std::string& name = single[i]["SpecialToken"]["id"].text();
      const JsonField ids = step["special_tokens"][name]["ids"];
      if (ids.size() != 1) ids.fail("one id");
      id = ids[0].id();
    }
    if (!after) single.fail("a sequence");
  }
  return result;
}

/// The merges, each "left right" or ["left", "right"].
inline std::vector<MergeTexts> read_json_merges(const JsonField& merges) {
  std::vector<MergeTexts> result;
  const std::size_t count = merges.size();
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const JsonField merge = merges[i];
    if (merge.json().is_array() && merge.size() == 2) {
      result.push_back({merge[std::size_t{0}].text(), merge[std::size_t{1}].text()});
      continue;
    }
    if (!merge.json().is_string()) merge.fail("\"left right\" or [\"left\", \"right\"]");
    const std::string_view text = merge.text();
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      merge.fail("two tokens separated by one space");
    }
    result.push_back({text.substr(0, space), text.substr(space + 1)});
  }
  return result;
}

/// The name of a known byte-level pre-tokenizer; nothing if the steps are another.
inline std::optional<std::string_view> byte_level_pre_tokenizer(const std::vector<JsonField>& steps) {
  if (steps.empty() || steps.size() > 2 || !steps.back()["type"].is("ByteLevel")) return std::nullopt;
  const JsonField& byte_level = steps.back();
  if (byte_level["add_prefix_space"].boolean(true)) byte_level["add_prefix_space"].fail("false");
  const bool gpt2_words = byte_level["use_regex"].boolean(true);
  if (steps.size() == 1) {
    if (!gpt2_words) byte_level["use_regex"].fail("true, or a \"Split\" before it");
    return "gpt-2";
  }
  const JsonField& first = steps[0];
  if (first["type"].is("Digits") && first["individual_digits"].boolean(false) && gpt2_words) return "smollm";
  if (!first["type"].is("Split") || gpt2_words || !first["behavior"].is("Isolated") || first["invert"].boolean(false)) {
    return std::nullopt;
  }
  const JsonField pattern = first["pattern"]["Regex"];
  if (pattern.is(llama3_pattern)) return "llama-bpe";
  if (pattern.is(qwen2_pattern)) return "qwen2";
  pattern.fail("the pattern of LLaMA-3 or of Qwen2");
}

/// Whether a normalizer step replaces each space by U+2581.
inline bool writes_spaces(const JsonField& step) {
  return step["type"].is("Replace") && step["pattern"]["String"].is(" ") && step["content"].is(written_space);
}

}  // namespace zeroth::model::detail
