// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/tokenizer/added_vocabulary.hpp>
#include <zeroth_model/tokenizer/configured_tokens.hpp>
#include <zeroth_model/tokenizer/tokenizer_json.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// What the files next to a tokenizer.json, a tokenizer.model or a vocab.json say about its tokens.
struct SpecialTokens {
  std::optional<std::string> bos = {};
  std::optional<std::string> eos = {};
  std::optional<std::string> unknown = {};
  std::optional<std::string> padding = {};
  // If no file names the token itself:
  std::optional<std::int32_t> bos_id = {};
  std::optional<std::int32_t> eos_id = {};
  std::optional<std::int32_t> padding_id = {};
  // If the tokenizer's own file does not say:
  std::optional<bool> add_bos = {};
  std::optional<bool> add_eos = {};
  AddedTokenFiles added = {};
  std::string tokenizer_class = {};  ///< the class of `transformers`, empty if none is named
  std::string model_type = {};       ///< of config.json, empty if there is none
  std::optional<bool> add_prefix_space = {};
  std::optional<bool> legacy = {};
};

namespace detail {

/// The texts of special tokens that no file mentions, not even as null; empty: no such token.
struct DefaultTokens {
  std::string_view bos = {};
  std::string_view eos = {};
  std::string_view unknown = {};
};

/// The special token described by a string or by an object with "content".
inline AddedToken json_special_token(const JsonValue& value) {
  if (value.is_object()) return json_added_token(value, true);
  return {.text = value.as<std::string>(), .special = true, .normalized = false, .id = {}, .place = value.place()};
}

/// The id in a model's configuration; the first of a list.
inline std::optional<std::int32_t> configured_id(const std::optional<JsonValue>& value) {
  const std::vector<std::int32_t> ids = configured_tokens(value);
  return ids.empty() ? std::nullopt : std::optional(ids[0]);
}

/// Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json, generation_config.json and config.json as
/// `transformers` does.
class SpecialTokenReader {
 public:
  SpecialTokenReader(std::filesystem::path folder, const DefaultTokens& otherwise)
      : folder_(std::move(folder)), otherwise_(otherwise) {}

  SpecialTokens read() {
    bool has_decoder = false;
    with_file("tokenizer_config.json", [&](const JsonValue& root) {
      read_names(root, false);
      const auto decoder = root.find("added_tokens_decoder");
      has_decoder = decoder.has_value();
      if (decoder) read_decoder(*decoder);
      special_.tokenizer_class = root.find<std::string>("tokenizer_class").value_or("");
      special_.add_prefix_space = root.find<bool>("add_prefix_space");
      special_.legacy = root.find<bool>("legacy");
    });
    // Written by older versions, which had no added_tokens_decoder.
    special_.added.is_older = !has_decoder;
    if (!has_decoder) {
      with_file("special_tokens_map.json", [&](const JsonValue& root) { read_names(root, true); });
      with_file("added_tokens.json", [&](const JsonValue& root) { read_added_tokens(root); });
    }
    for (const auto& [id, token] : by_id_) special_.added.tokens.push_back(token);
    for (const auto& [name, text] : {std::pair("bos_token", otherwise_.bos), std::pair("eos_token", otherwise_.eos),
                                     std::pair("unk_token", otherwise_.unknown)}) {
      if (text.empty() || named_.contains(name)) continue;
      named_.emplace(name, AddedToken{.text = std::string(text),
                                      .special = true,
                                      .normalized = false,
                                      .id = {},
                                      .place = (folder_ / "tokenizer_config.json").string()});
    }
    for (const char* file : {"generation_config.json", "config.json"}) {
      with_file(file, [&](const JsonValue& root) { read_ids(root); });
    }
    with_file("config.json",
              [&](const JsonValue& root) { special_.model_type = root.find<std::string>("model_type").value_or(""); });
    set_named();
    return std::move(special_);
  }

 private:
  template <class Use>
  void with_file(const char* name, const Use& use) {
    const std::filesystem::path path = folder_ / name;
    if (std::filesystem::exists(path)) use(JsonValue::load(path.string(), tokenizer_json_limits));
  }

  /// @param told whether added_tokens.json treats a token described by an object as special, like one given as a string
  void read_names(const JsonValue& root, bool told) {
    for (const JsonMember& member : root.members()) {
      const bool known = std::find(names.begin(), names.end(), member.key) != names.end();
      if (known) {
        auto& token = named_[std::string(member.key)];
        token.reset();
        if (member.value.json().is_null()) continue;
        token = json_special_token(member.value);
        if (told || member.value.is_string()) told_.insert(token->text);
      } else if (member.key.ends_with("_token") && member.value.is_string()) {
        // Models with their own tokens have these, such as "image_token".
        others_.insert_or_assign(std::string(member.key), json_special_token(member.value));
      }
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const auto list = root.find(key);
      if (!list) continue;
      if (list->is_object()) {
        for (const JsonMember& member : list->members())
          others_.insert_or_assign(std::string(member.key), json_special_token(member.value));
        continue;
      }
      std::vector<AddedToken> tokens;
      for (const JsonValue& token : list->elements()) {
        tokens.push_back(json_special_token(token));
        if (token.is_string()) told_.insert(tokens.back().text);
      }
      if (!tokens.empty()) special_.added.extra = std::move(tokens);
    }
    for (const auto& [key, flag] :
         {std::pair("add_bos_token", &special_.add_bos), std::pair("add_eos_token", &special_.add_eos)}) {
      if (!*flag) *flag = root.find<bool>(key);
    }
  }

  void read_decoder(const JsonValue& decoder) {
    for (const JsonMember& member : decoder.members()) {
      std::int32_t id = -1;
      const char* const end = member.key.data() + member.key.size();
      const auto [stop, error] = std::from_chars(member.key.data(), end, id);
      if (error != std::errc() || stop != end || id < 0) {
        throw member.value.mismatch("an id from 0 to 2^31 - 1 as the key", '"' + printable(member.key) + '"');
      }
      AddedToken token = json_added_token(member.value, member.value.find<bool>("special").value_or(false));
      token.id = id;
      by_id_.insert_or_assign(id, std::move(token));
    }
  }

  void read_added_tokens(const JsonValue& root) {
    for (const JsonMember& member : root.members()) {
      const bool special = told_.contains(member.key);
      const std::int32_t id = json_token_id(member.value);
      by_id_.insert_or_assign(id, AddedToken{.text = std::string(member.key),
                                             .special = special,
                                             .normalized = !special,
                                             .id = id,
                                             .place = member.value.place()});
    }
  }

  void read_ids(const JsonValue& root) {
    const auto read = [&](const char* name, std::optional<std::int32_t>& id) {
      if (!named_.contains(name) && !id) id = configured_id(root.find(std::string(name) + "_id"));
    };
    read("bos_token", special_.bos_id);
    read("eos_token", special_.eos_id);
    read("pad_token", special_.padding_id);
  }

  void set_named() {
    std::map<std::string_view, const AddedToken*> by_text;
    for (const AddedToken& token : special_.added.tokens) by_text.insert_or_assign(token.text, &token);
    const auto add = [&](AddedToken token) {
      // The token's own flags count, not those where it is named.
      if (const auto found = by_text.find(token.text); found != by_text.end()) token = *found->second;
      token.id.reset();
      special_.added.named.push_back(std::move(token));
    };
    for (const std::string_view name : names) {
      const auto found = named_.find(name);
      if (found == named_.end() || !found->second) continue;
      if (name == "bos_token") special_.bos = found->second->text;
      if (name == "eos_token") special_.eos = found->second->text;
      if (name == "unk_token") special_.unknown = found->second->text;
      if (name == "pad_token") special_.padding = found->second->text;
      add(*found->second);
    }
    for (const auto& [key, token] : others_) add(token);
  }

  /// The names that every tokenizer may have, in the order in which their tokens are added.
  static constexpr std::array<std::string_view, 7> names{"bos_token", "eos_token", "unk_token", "sep_token",
                                                         "pad_token", "cls_token", "mask_token"};

  std::filesystem::path folder_;
  DefaultTokens otherwise_;
  SpecialTokens special_;
  std::map<std::string, std::optional<AddedToken>, std::less<>> named_;
  std::map<std::string, AddedToken, std::less<>> others_;
  std::set<std::string, std::less<>> told_;  ///< special tokens, for added_tokens.json
  std::map<std::int32_t, AddedToken> by_id_;
};

/// What the files of a folder say about special and added tokens. special_tokens_map.json, which overrides
/// tokenizer_config.json, and added_tokens.json count only if tokenizer_config.json has no `added_tokens_decoder`; ids
/// from generation_config.json and config.json, in this order, only for a token that none of these name.
inline SpecialTokens read_special_tokens(const std::filesystem::path& folder, const DefaultTokens& otherwise = {}) {
  return SpecialTokenReader(folder, otherwise).read();
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA::model
