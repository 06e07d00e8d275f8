// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/model/format/gguf_writer.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

namespace zeroth::model {

/// The name that GGUF files have for a pre-tokenizer.
[[nodiscard]] constexpr std::string_view gguf_name(PreTokenizer pre_tokenizer) noexcept {
  switch (pre_tokenizer) {
    case PreTokenizer::gpt2:
      return "gpt-2";
    case PreTokenizer::smollm:
      return "smollm";
    case PreTokenizer::llama3:
      return "llama-bpe";
    case PreTokenizer::qwen2:
      return "qwen2";
  }
  return "";
}

/// Sets the keys from which tokenizer_from_gguf(), and llama.cpp, make this tokenizer.
///
/// @param vocabulary tokens that the model has a row for, at least the tokenizer's; those beyond get names of their own
///   and the type `unused`, since llama.cpp wants a name for every row
/// @param chat_template the Jinja template of a chat, if there is one
inline void set_tokenizer_metadata(GgufWriter& writer, BytePairTokenizer const& tokenizer, std::size_t vocabulary,
                                   std::optional<std::string_view> chat_template = std::nullopt) {
  std::vector<std::string> names;
  for (std::size_t i = tokenizer.vocabulary_size(); i < vocabulary; ++i)
    names.push_back("[PAD" + std::to_string(i) + "]");
  std::vector<std::string_view> tokens;
  std::vector<std::int32_t> types;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    tokens.push_back(tokenizer.token_text(static_cast<std::int32_t>(i)));
    types.push_back(static_cast<std::int32_t>(tokenizer.token_type(static_cast<std::int32_t>(i))));
  }
  for (std::string const& name : names) {
    tokens.push_back(name);
    types.push_back(static_cast<std::int32_t>(TokenType::unused));
  }
  std::vector<std::string> merges;
  for (MergeTable::Merge const& merge : tokenizer.merges()) {
    std::string& text = merges.emplace_back(tokenizer.token_text(merge.left));
    text.append(" ").append(tokenizer.token_text(merge.right));
  }
  std::vector<std::string_view> const merge_views(merges.begin(), merges.end());

  writer.set("tokenizer.ggml.model", std::string_view("gpt2"));
  writer.set("tokenizer.ggml.pre", gguf_name(tokenizer.pre_tokenizer()));
  writer.set_array<std::string_view>("tokenizer.ggml.tokens", tokens);
  writer.set_array<std::int32_t>("tokenizer.ggml.token_type", types);
  writer.set_array<std::string_view>("tokenizer.ggml.merges", merge_views);
  auto set_id = [&](std::string_view key, std::optional<std::int32_t> id) {
    if (id) writer.set(key, static_cast<std::uint32_t>(*id));
  };
  set_id("tokenizer.ggml.bos_token_id", tokenizer.bos());
  set_id("tokenizer.ggml.eos_token_id", tokenizer.eos());
  set_id("tokenizer.ggml.unknown_token_id", tokenizer.unknown());
  set_id("tokenizer.ggml.padding_token_id", tokenizer.padding());
  writer.set("tokenizer.ggml.add_bos_token", tokenizer.add_bos());
  if (chat_template) writer.set("tokenizer.chat_template", *chat_template);
}

}  // namespace zeroth::model
