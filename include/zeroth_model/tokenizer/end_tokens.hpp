// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/tokenizer/any_tokenizer.hpp>
#include <zeroth_model/tokenizer/configured_tokens.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Adds an id if the vocabulary has it and it is not yet in the list.
inline void add_end_token(std::vector<std::int32_t>& ids, std::optional<std::int32_t> id,
                          AnyTokenizer const& tokenizer) {
  if (!id || *id < 0 || static_cast<std::size_t>(*id) >= tokenizer.vocabulary_size()) return;
  if (std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
}

/// The ids with the tokenizer's own end of text first, if it is among them: a format with room for only one id takes
/// the first.
inline std::vector<std::int32_t> with_eos_first(std::vector<std::int32_t> ids, AnyTokenizer const& tokenizer) {
  auto const is_eos = [&](std::int32_t id) { return id == tokenizer.eos(); };
  std::stable_partition(ids.begin(), ids.end(), is_eos);
  return ids;
}

}  // namespace detail

/// Whether generation with a GGUF file ends at a token with that text even if no key of the file names it.
[[nodiscard]] inline bool is_end_token_text(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 10> texts{"<|eot_id|>", "<|eom_id|>",    "<|end_of_text|>", "<|im_end|>",
                                                   "<|end|>",    "<|endoftext|>", "<end_of_turn>",   "<EOT>",
                                                   "_<EOT>",     "</s>"};
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

/// The tokens that end a generation with a Hugging Face model: as in transformers, all ids of `eos_token_id` in
/// generation_config.json or, if that file is missing, in config.json. If these have none, the tokenizer's eos.
///
/// @return the tokenizer's eos first, if it is among them; ids outside the vocabulary, which never occur, are left out
/// @throws InvalidFile as configured_tokens() does.
[[nodiscard]] inline std::vector<std::int32_t> end_tokens(JsonValue const& config,
                                                          std::optional<JsonValue> const& generation_config,
                                                          AnyTokenizer const& tokenizer) {
  std::vector<std::int32_t> ids;
  JsonValue const& json = generation_config ? *generation_config : config;
  for (std::int32_t id : configured_tokens(json.find("eos_token_id"))) detail::add_end_token(ids, id, tokenizer);
  if (ids.empty()) detail::add_end_token(ids, tokenizer.eos(), tokenizer);
  return detail::with_eos_first(std::move(ids), tokenizer);
}

/// The tokens that end a generation with a GGUF model: as in llama.cpp, those of `tokenizer.ggml.eos_token_id`,
/// `eot_token_id` and `eom_token_id`, and control tokens whose names mark the end of a text or turn.
///
/// @return the tokenizer's eos first, if there is one
/// @throws InvalidFile naming file and key, if one of the keys is not an id.
[[nodiscard]] inline std::vector<std::int32_t> end_tokens(GgufFile const& file, AnyTokenizer const& tokenizer) {
  std::vector<std::int32_t> ids;
  detail::add_end_token(ids, tokenizer.eos(), tokenizer);
  for (std::string_view key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    detail::add_end_token(ids, file.find<std::int32_t>(key), tokenizer);
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    auto const id = static_cast<std::int32_t>(i);
    if (tokenizer.token_type(id) == TokenType::control && is_end_token_text(tokenizer.token_text(id)))
      detail::add_end_token(ids, id, tokenizer);
  }
  return ids;
}

/// Sets the keys of a GGUF file for end tokens that its reader would not find otherwise: `eot_token_id` and
/// `eom_token_id` get the first and the second of those that are neither the tokenizer's eos nor end tokens by name.
/// The format has no key for more.
inline void set_end_tokens(GgufWriter& writer, std::vector<std::int32_t> const& ids, AnyTokenizer const& tokenizer) {
  std::vector<std::int32_t> others;
  for (std::int32_t id : ids) {
    bool const by_name = tokenizer.token_type(id) == TokenType::control && is_end_token_text(tokenizer.token_text(id));
    if (id != tokenizer.eos() && !by_name) others.push_back(id);
  }
  if (!others.empty()) writer.set("tokenizer.ggml.eot_token_id", static_cast<std::uint32_t>(others[0]));
  if (others.size() > 1) writer.set("tokenizer.ggml.eom_token_id", static_cast<std::uint32_t>(others[1]));
}

}  // namespace zeroth::ZEROTH_ISA::model
