// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/tokenizer/added_vocabulary.hpp>
#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Limits of tokenizer.json: large vocabularies take tens of megabytes.
inline constexpr JsonLimits tokenizer_json_limits{.bytes = std::size_t{256} << 20};

/// A token's id, or nothing if the value is not one.
inline std::optional<std::int32_t> decode_token_id(const nlohmann::json& value) {
  const auto id = decode_json<std::int32_t>(value);
  return id && *id >= 0 ? id : std::nullopt;
}

/// A token's id.
inline std::int32_t json_token_id(const JsonValue& value) {
  if (const auto id = decode_token_id(value.json())) return *id;
  throw value.mismatch("an id from 0 to 2^31 - 1");
}

/// The values of the array `key`; none if it is missing or null.
inline std::vector<JsonValue> find_elements(const JsonValue& object, std::string_view key) {
  const auto array = object.find(key);
  return array ? array->elements() : std::vector<JsonValue>{};
}

inline void unroll_steps(const JsonValue& step, std::string_view list, std::vector<JsonValue>& steps) {
  if (!step.has("type", "Sequence")) return steps.push_back(step);
  for (const JsonValue& element : step.get(list, "an array").elements()) unroll_steps(element, list, steps);
}

/// The steps under `key`: those in the `list` of a "Sequence", with nested sequences flattened, or a single step; none
/// for null.
inline std::vector<JsonValue> unrolled_steps(const JsonValue& root, std::string_view key, std::string_view list) {
  std::vector<JsonValue> steps;
  if (const auto step = root.find(key)) unroll_steps(*step, list, steps);
  return steps;
}

/// The tokens of a tokenizer by id: views of its files.
struct JsonTokens {
  std::vector<std::string_view> texts;
  std::vector<std::int32_t> types;
  std::vector<AddedTokenRule> rules;
  std::vector<std::int32_t> only_added;  ///< tokens missing from the model's own vocabulary
  AddedVocabulary added;
  bool is_whole = true;  ///< whether only the vocabulary's own file adds tokens

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view text) const { return added.find(std::string(text)); }

  /// The id of a token in the model's own vocabulary.
  [[nodiscard]] std::optional<std::int32_t> find_of_model(std::string_view text) const {
    return added.is_of_model(text) ? find(text) : std::nullopt;
  }
};

/// Collects the tokens of a model's vocabulary by id.
class JsonTokenCollector {
 public:
  /// `where()` is the value to report if another token has the id.
  template <class Where>
  void add(const Where& where, std::int32_t id, std::string_view text) {
    const auto [entry, is_new] = texts_.try_emplace(id, text);
    if (!is_new) throw where().mismatch("an id of its own, not that of \"" + printable(entry->second) + "\"");
    ids_.insert_or_assign(text, id);
  }

  /// The tokens of the model, for which messages name `where`, and the added ones: first `own`, then those of `files`.
  /// Missing ids below the highest become unused tokens without text. Fails if the highest id is far beyond the number
  /// of tokens, or if an added token takes the id of another.
  [[nodiscard]] JsonTokens tokens(const JsonValue& where, std::span<const AddedToken> own,
                                  const AddedTokenFiles& files) const {
    JsonTokens result{.texts = {}, .types = {}, .rules = {}, .only_added = {}, .added = {ids_, texts_.size()}};
    result.added.add(own);
    result.is_whole = !result.added.add(files);
    const std::map<std::int32_t, AddedToken>& added = result.added.tokens();
    if (texts_.empty() && added.empty()) throw where.mismatch("tokens");
    const std::size_t count = texts_.size() + added.size();
    const auto highest = static_cast<std::size_t>(
        std::max(texts_.empty() ? 0 : texts_.rbegin()->first, added.empty() ? 0 : added.rbegin()->first));
    if (highest > count + 65536) {
      throw where.mismatch("ids up to about the number of tokens, " + std::to_string(count) + ", not " +
                           std::to_string(highest));
    }
    result.texts.resize(highest + 1);
    result.types.assign(highest + 1, static_cast<std::int32_t>(TokenType::unused));
    for (const auto& [id, text] : texts_) {
      result.texts[static_cast<std::size_t>(id)] = text;
      result.types[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(TokenType::normal);
    }
    for (const auto& [id, token] : added) {
      const auto at = static_cast<std::size_t>(id);
      if (const auto model = texts_.find(id); model != texts_.end() && model->second != token.text) {
        throw InvalidFile(token.place + ": expected an id of its own for \"" + printable(token.text) + "\"; it takes " +
                          std::to_string(id) + ", the next after the vocabulary's size, which \"" +
                          printable(model->second) + "\" has in it");
      }
      const bool special = result.added.is_special(token.text);
      result.texts[at] = token.text;
      result.types[at] = static_cast<std::int32_t>(special ? TokenType::control : TokenType::user_defined);
      if (!result.added.is_of_model(token.text)) result.only_added.push_back(id);
      const AddedTokenRule rule{.id = id,
                                .strip_left = token.strip_left,
                                .strip_right = token.strip_right,
                                .normalized = token.normalized,
                                .single_word = token.single_word};
      if (rule.strip_left || rule.strip_right || rule.normalized || rule.single_word) result.rules.push_back(rule);
    }
    return result;
  }

 private:
  std::map<std::int32_t, std::string_view> texts_;
  std::unordered_map<std::string_view, std::int32_t> ids_;
};

/// The added token that an object describes, with `content` and flags.
inline AddedToken json_added_token(const JsonValue& value, bool special) {
  AddedToken token{.text = value.get<std::string>("content"), .special = special, .id = {}, .place = value.place()};
  token.normalized = value.find<bool>("normalized").value_or(!special);
  token.strip_left = value.find<bool>("lstrip").value_or(false);
  token.strip_right = value.find<bool>("rstrip").value_or(false);
  token.single_word = value.find<bool>("single_word").value_or(false);
  return token;
}

/// The added tokens of a tokenizer.json.
inline std::vector<AddedToken> read_json_added_tokens(const JsonValue& root) {
  std::vector<AddedToken> result;
  for (const JsonValue& value : find_elements(root, "added_tokens")) {
    const JsonValue id = value.get("id");
    result.push_back(json_added_token(value, value.find<bool>("special").value_or(false)));
    result.back().id = json_token_id(id);
    result.back().place = id.place();
  }
  return result;
}

/// The ids that a text's template puts before and after it.
struct JsonTemplate {
  std::optional<std::int32_t> before;
  std::optional<std::int32_t> after;
};

inline JsonTemplate read_json_template(const JsonValue& root) {
  JsonTemplate result;
  for (const JsonValue& step : unrolled_steps(root, "post_processor", "processors")) {
    // Affects the positions of tokens in the text, not the tokens.
    if (step.has("type", "ByteLevel")) continue;
    if (!step.has("type", "TemplateProcessing")) throw step.mismatch("\"TemplateProcessing\" or \"ByteLevel\"");
    const JsonValue single = step.get("single", "an array");
    bool after = false;
    for (const JsonValue& part : single.elements()) {
      if (part.find("Sequence")) {
        if (after) throw single.mismatch("one sequence");
        after = true;
        continue;
      }
      std::optional<std::int32_t>& id = after ? result.after : result.before;
      if (id) throw single.mismatch("at most one special token before the text and one after it");
      const auto name = part.get("SpecialToken").get<std::string_view>("id");
      const JsonValue ids = step.get("special_tokens").get(name).get("ids");
      const std::vector<JsonValue> all = ids.elements();
      if (all.size() != 1) throw ids.mismatch("one id");
      id = json_token_id(all[0]);
    }
    if (!after) throw single.mismatch("a sequence");
  }
  return result;
}

/// The merges, each "left right" or ["left", "right"].
inline std::vector<MergeTexts> read_json_merges(const JsonValue& model) {
  const JsonValue merges = model.get("merges", "an array");
  if (!merges.is_array()) throw merges.mismatch("an array");
  std::vector<MergeTexts> result;
  result.reserve(merges.json().size());
  // There are hundreds of thousands of merges: none gets a JsonValue of its own unless it is wrong.
  const auto fail = [&](std::string_view expected) { throw merges.elements()[result.size()].mismatch(expected); };
  for (const nlohmann::json& merge : merges.json()) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      result.push_back({merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()});
      continue;
    }
    if (!merge.is_string()) fail("\"left right\" or [\"left\", \"right\"]");
    const std::string_view text = merge.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      fail("two tokens separated by one space");
    }
    result.push_back({text.substr(0, space), text.substr(space + 1)});
  }
  return result;
}

/// The name of a known byte-level pre-tokenizer; nothing if the steps do not match one.
inline std::optional<std::string_view> byte_level_pre_tokenizer(const std::vector<JsonValue>& steps) {
  if (steps.empty() || steps.size() > 2 || !steps.back().has("type", "ByteLevel")) return std::nullopt;
  const JsonValue& byte_level = steps.back();
  // A missing key means true.
  if (steps.size() > 1 && byte_level.find<bool>("add_prefix_space").value_or(true)) {
    constexpr std::string_view expected = "false with another step before it";
    throw byte_level.get("add_prefix_space", expected).mismatch(expected);
  }
  const bool gpt2_words = byte_level.find<bool>("use_regex").value_or(true);
  if (steps.size() == 1) {
    if (!gpt2_words) throw byte_level.get("use_regex").mismatch("true, or a \"Split\" before it");
    return "gpt-2";
  }
  const JsonValue& first = steps[0];
  if (first.has("type", "Digits") && first.find<bool>("individual_digits").value_or(false) && gpt2_words) {
    return "smollm";
  }
  if (!first.has("type", "Split") || gpt2_words || !first.has("behavior", "Isolated") ||
      first.find<bool>("invert").value_or(false)) {
    return std::nullopt;
  }
  const JsonValue pattern = first.get("pattern").get("Regex", "the pattern of LLaMA-3 or of Qwen2");
  if (pattern.is(llama3_pattern)) return "llama-bpe";
  if (pattern.is(qwen2_pattern)) return "qwen2";
  throw pattern.mismatch("the pattern of LLaMA-3 or of Qwen2");
}

/// Whether a step's pattern, of kind "String" or "Regex", is that text.
inline bool has_pattern(const JsonValue& step, std::string_view kind, std::string_view text) {
  const auto pattern = step.find("pattern");
  return pattern && pattern->is_object() && pattern->has(kind, text);
}

/// Where a "Metaspace" puts a space.
inline SpacePrefix read_metaspace_prefix(const JsonValue& step) {
  if (!step.has("replacement", written_space)) throw step.get("replacement", "U+2581").mismatch("U+2581");
  const auto scheme = step.find<std::string_view>("prepend_scheme");
  const bool wanted = step.find<bool>("add_prefix_space").value_or(true);
  if (!scheme) return wanted ? SpacePrefix::each_part_without : SpacePrefix::no_part;
  if (*scheme == "never") return SpacePrefix::no_part;
  if (!wanted) throw step.get("prepend_scheme").mismatch("\"never\" where \"add_prefix_space\" is false");
  if (*scheme == "always") return SpacePrefix::each_part_without;
  if (*scheme == "first") return SpacePrefix::first_part;
  throw step.get("prepend_scheme").mismatch("\"first\", \"always\" or \"never\"");
}

/// Whether a normalizer step replaces each space with U+2581.
inline bool writes_spaces(const JsonValue& step) {
  return step.has("type", "Replace") && has_pattern(step, "String", " ") && step.has("content", written_space);
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
