// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

namespace zeroth::model {

namespace detail {

/// Appends UTF-8 `text` as a JSON string.
inline void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view hexadecimal = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hexadecimal[byte >> 4];
      out += hexadecimal[byte & 15u];
    } else {
      out += c;
    }
  }
  out += '"';
}

inline void append_added_tokens(std::string& out, const BytePairTokenizer& tokenizer) {
  const char* separator = "\n    ";
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const bool special = tokenizer.token_type(id) == TokenType::control;
    if (!special && tokenizer.token_type(id) != TokenType::user_defined) continue;
    out += separator;
    out += "{\"id\": " + std::to_string(id) + ", \"content\": ";
    append_json_string(out, tokenizer.token_text(id));
    out += ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": ";
    out += special ? "true}" : "false}";
    separator = ",\n    ";
  }
}

inline void append_pre_tokenizer(std::string& out, PreTokenizer pre_tokenizer) {
  constexpr std::string_view byte_level =
      "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}";
  if (pre_tokenizer == PreTokenizer::gpt2) {
    out += byte_level;
    return;
  }
  out += "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, ";
  out += byte_level;
  out += "]}";
}

/// A template that puts bos before each text, or null.
inline void append_post_processor(std::string& out, const BytePairTokenizer& tokenizer) {
  if (!tokenizer.add_bos()) {
    out += "null";
    return;
  }
  std::string bos;
  append_json_string(bos, tokenizer.token_text(*tokenizer.bos()));
  const auto append_bos = [&](int sequence) {
    out += "{\"SpecialToken\": {\"id\": " + bos + ", \"type_id\": " + std::to_string(sequence) + "}}, ";
    out += "{\"Sequence\": {\"id\": \"" + std::string(sequence == 0 ? "A" : "B") +
           "\", \"type_id\": " + std::to_string(sequence) + "}}";
  };
  out += "{\"type\": \"TemplateProcessing\", \"single\": [";
  append_bos(0);
  out += "], \"pair\": [";
  append_bos(0);
  out += ", ";
  append_bos(1);
  out += "], \"special_tokens\": {" + bos + ": {\"id\": " + bos + ", \"ids\": [" + std::to_string(*tokenizer.bos()) +
         "], \"tokens\": [" + bos + "]}}}";
}

}  // namespace detail

/// Text of the `tokenizer.json` from which Hugging Face `tokenizers` and `transformers` make this tokenizer.
///
/// Control and user-defined tokens are its added tokens, the former special; bos goes before each text if add_bos().
/// Ids are those of BytePairTokenizer::encode() where the text has no control token's text in it, or the reader is told
/// to leave it alone (`split_special_tokens=True`). About 2 MB for 49152 tokens.
inline std::string hugging_face_tokenizer_json(const BytePairTokenizer& tokenizer) {
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [";
  detail::append_added_tokens(out, tokenizer);
  out += "\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": ";
  detail::append_pre_tokenizer(out, tokenizer.pre_tokenizer());
  out += ",\n  \"post_processor\": ";
  detail::append_post_processor(out, tokenizer);
  out +=
      ",\n  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
      "\"use_regex\": true},\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": "
      "null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
      "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {";
  const char* separator = "\n";
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    out += separator;
    detail::append_json_string(out, tokenizer.token_text(static_cast<std::int32_t>(i)));
    out += ": " + std::to_string(i);
    separator = ",\n";
  }
  out += "\n    },\n    \"merges\": [";
  separator = "\n";
  std::string merge_text;
  for (const MergeTable::Merge& merge : tokenizer.merges()) {
    merge_text = tokenizer.token_text(merge.left);
    merge_text += ' ';
    merge_text += tokenizer.token_text(merge.right);
    out += separator;
    detail::append_json_string(out, merge_text);
    separator = ",\n";
  }
  out += "\n    ]\n  }\n}\n";
  return out;
}

/// Text of the `tokenizer_config.json` that belongs beside hugging_face_tokenizer_json(), so that
/// `transformers.AutoTokenizer.from_pretrained(folder)` finds the class and the names of the special tokens.
///
/// @param model_max_length longest text in tokens; none is written if 0
inline std::string hugging_face_tokenizer_config_json(const BytePairTokenizer& tokenizer,
                                                      std::uint64_t model_max_length,
                                                      std::optional<std::string_view> chat_template = std::nullopt) {
  std::string out = "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n  \"clean_up_tokenization_spaces\": false";
  const auto append_token = [&](std::string_view key, std::optional<std::int32_t> id) {
    if (!id) return;
    out.append(",\n  \"").append(key).append("\": ");
    detail::append_json_string(out, tokenizer.token_text(*id));
  };
  append_token("bos_token", tokenizer.bos());
  append_token("eos_token", tokenizer.eos());
  append_token("unk_token", tokenizer.unknown());
  append_token("pad_token", tokenizer.padding());
  if (model_max_length > 0) out += ",\n  \"model_max_length\": " + std::to_string(model_max_length);
  if (chat_template) {
    out += ",\n  \"chat_template\": ";
    detail::append_json_string(out, *chat_template);
  }
  out += "\n}\n";
  return out;
}

}  // namespace zeroth::model
