// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/unigram_tokenizer.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model {

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

/// Whether a later added token has the same text as the added token `id`, and so is found instead of it. Throws
/// InvalidArgument if the later one is not found there: tokenizers would give the text that token's id.
template <class Tokenizer>
bool is_found_as_later(const Tokenizer& tokenizer, std::int32_t id) {
  if constexpr (requires(std::string_view text) { tokenizer.find_token(text); }) {
    const std::string_view text = tokenizer.token_text(id);
    const std::int32_t last = tokenizer.find_token(text).value_or(id);
    if (last == id || text.empty()) return false;
    const TokenType type = tokenizer.token_type(last);
    const bool is_added = type == TokenType::control || type == TokenType::user_defined;
    if (!is_added || tokenizer.added_token_rule(last).normalized != tokenizer.added_token_rule(id).normalized) {
      throw InvalidArgument("tokenizer.json: expected one token with the text of the added token " +
                            quoted_token(text) + ", found tokens " + std::to_string(id) + " and " +
                            std::to_string(last));
    }
    return true;
  } else {
    return false;  // its tokens have distinct texts
  }
}

template <class Tokenizer>
void append_added_tokens(std::string& out, const Tokenizer& tokenizer) {
  const char* separator = "\n    ";
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const bool special = tokenizer.token_type(id) == TokenType::control;
    if (!special && tokenizer.token_type(id) != TokenType::user_defined) continue;
    if (is_found_as_later(tokenizer, id)) continue;
    out += separator;
    out += "{\"id\": " + std::to_string(id) + ", \"content\": ";
    append_json_string(out, tokenizer.token_text(id));
    const AddedTokenRule rule = tokenizer.added_token_rule(id);
    const auto append_flag = [&](const char* name, bool value) {
      out.append(", \"").append(name).append("\": ").append(value ? "true" : "false");
    };
    append_flag("single_word", rule.single_word);
    append_flag("lstrip", rule.strip_left);
    append_flag("rstrip", rule.strip_right);
    append_flag("normalized", rule.normalized);
    append_flag("special", special);
    out += '}';
    separator = ",\n    ";
  }
}

inline void append_pre_tokenizer(std::string& out, PreTokenizer pre_tokenizer, bool add_prefix_space) {
  const auto byte_level = [&](const char* use_regex) {
    return std::string(R"({"type": "ByteLevel", "add_prefix_space": )") + (add_prefix_space ? "true" : "false") +
           R"(, "trim_offsets": true, "use_regex": )" + use_regex + "}";
  };
  if (pre_tokenizer == PreTokenizer::gpt2) {
    out += byte_level("true");
    return;
  }
  out += R"({"type": "Sequence", "pretokenizers": [)";
  if (pre_tokenizer == PreTokenizer::smollm) {
    out += R"({"type": "Digits", "individual_digits": true}, )" + byte_level("true");
  } else {
    out += R"({"type": "Split", "pattern": {"Regex": )";
    append_json_string(out, pre_tokenizer == PreTokenizer::llama3 ? llama3_pattern : qwen2_pattern);
    out += R"(}, "behavior": "Isolated", "invert": false}, )" + byte_level("false");
  }
  out += "]}";
}

/// A template that puts bos before each text, eos after it, or both, or null.
template <class Tokenizer>
void append_post_processor(std::string& out, const Tokenizer& tokenizer) {
  if (!tokenizer.add_bos() && !tokenizer.add_eos()) {
    out += "null";
    return;
  }
  const auto text_of = [&](std::int32_t id) {
    std::string text;
    append_json_string(text, tokenizer.token_text(id));
    return text;
  };
  const auto append_sequence = [&](int sequence) {
    const auto append_special = [&](std::int32_t id) {
      out += R"({"SpecialToken": {"id": )" + text_of(id) + R"(, "type_id": )" + std::to_string(sequence) + "}}";
    };
    if (tokenizer.add_bos()) {
      append_special(*tokenizer.bos());
      out += ", ";
    }
    out += R"({"Sequence": {"id": ")" + std::string(sequence == 0 ? "A" : "B") + R"(", "type_id": )" +
           std::to_string(sequence) + "}}";
    if (tokenizer.add_eos()) {
      out += ", ";
      append_special(*tokenizer.eos());
    }
  };
  out += R"({"type": "TemplateProcessing", "single": [)";
  append_sequence(0);
  out += R"(], "pair": [)";
  append_sequence(0);
  out += ", ";
  append_sequence(1);
  out += R"(], "special_tokens": {)";
  const auto append_token = [&](std::int32_t id) {
    const std::string text = text_of(id);
    out += text + R"(: {"id": )" + text + R"(, "ids": [)" + std::to_string(id) + R"(], "tokens": [)" + text + "]}";
  };
  if (tokenizer.add_bos()) append_token(*tokenizer.bos());
  if (tokenizer.add_eos() && !(tokenizer.add_bos() && tokenizer.bos() == tokenizer.eos())) {
    if (tokenizer.add_bos()) out += ", ";
    append_token(*tokenizer.eos());
  }
  out += "}}";
}

/// The file up to its normalizer.
template <class Tokenizer>
std::string tokenizer_json_begin(const Tokenizer& tokenizer) {
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [";
  append_added_tokens(out, tokenizer);
  out += "\n  ],\n  \"normalizer\": ";
  return out;
}

/// Whether a tokenizer.json lists the token in the model's vocabulary.
template <class Tokenizer>
bool is_written(const Tokenizer& tokenizer, std::int32_t id) {
  // Excludes ids without a token, and texts that a later token also has.
  return !tokenizer.token_text(id).empty() && tokenizer.find_token(tokenizer.token_text(id)) == id;
}

/// Throws InvalidArgument unless the tokens missing from the model's own vocabulary have the ids directly after it:
/// those that a tokenizer.json gives them.
template <class Tokenizer>
void check_only_added(const Tokenizer& tokenizer) {
  std::vector<std::int32_t> added;
  std::int32_t size = 0;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (tokenizer.is_only_added(id)) {
      added.push_back(id);
    } else if (is_written(tokenizer, id)) {
      ++size;
    }
  }
  for (const std::int32_t id : added) {
    if (id != size) {
      throw InvalidArgument("tokenizer.json: expected the added token " + quoted_token(tokenizer.token_text(id)) +
                            " to have the id " + std::to_string(size) + ", the next after the vocabulary, found " +
                            std::to_string(id));
    }
    ++size;
  }
}

/// The file's model: a byte-pair encoding with `flags`, JSON members that end in a comma.
template <class Tokenizer>
void append_byte_pair_model(std::string& out, const Tokenizer& tokenizer, std::string_view flags) {
  out += R"({
    "type": "BPE",
    "dropout": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    )";
  out.append(flags).append("\n    \"vocab\": {");
  const char* separator = "\n";
  check_only_added(tokenizer);
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (!is_written(tokenizer, id) || tokenizer.is_only_added(id)) continue;
    out += separator;
    append_json_string(out, tokenizer.token_text(id));
    out += ": " + std::to_string(i);
    separator = ",\n";
  }
  out += "\n    },\n    \"merges\": [";
  // Every version of `tokenizers` reads "left right", but it is ambiguous for tokens that contain a space.
  const auto has_space = [&](std::int32_t id) { return tokenizer.token_text(id).find(' ') != std::string_view::npos; };
  const auto merges = tokenizer.merges();
  const bool as_pairs = std::any_of(merges.begin(), merges.end(), [&](const MergeTable::Merge& merge) {
    return has_space(merge.left) || has_space(merge.right);
  });
  separator = "\n";
  std::string text;
  for (const MergeTable::Merge& merge : merges) {
    out += separator;
    separator = ",\n";
    if (as_pairs) {
      out += '[';
      append_json_string(out, tokenizer.token_text(merge.left));
      out += ", ";
      append_json_string(out, tokenizer.token_text(merge.right));
      out += ']';
      continue;
    }
    text = tokenizer.token_text(merge.left);
    text += ' ';
    text += tokenizer.token_text(merge.right);
    append_json_string(out, text);
  }
  out += "\n    ]\n  }";
}

}  // namespace detail

/// Text of a `tokenizer.json` from which Hugging Face `tokenizers` and `transformers` build this tokenizer.
///
/// Control and user-defined tokens are its added tokens, the former special; bos goes before each text if add_bos().
/// The ids are those of BytePairTokenizer::encode() if the text does not contain a control token's text, or if the
/// reader is told to leave such text alone (`split_special_tokens=True`). About 2 MB for 49152 tokens.
inline std::string hugging_face_tokenizer_json(const BytePairTokenizer& tokenizer) {
  std::string out = detail::tokenizer_json_begin(tokenizer);
  out += tokenizer.normalization() == Normalization::nfc ? R"({"type": "NFC"})" : "null";
  out += ",\n  \"pre_tokenizer\": ";
  detail::append_pre_tokenizer(out, tokenizer.pre_tokenizer(), tokenizer.add_prefix_space());
  out += ",\n  \"post_processor\": ";
  detail::append_post_processor(out, tokenizer);
  out += R"(,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": )";
  detail::append_byte_pair_model(out, tokenizer,
                                 R"("unk_token": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": )" +
                                     std::string(tokenizer.ignore_merges() ? "true," : "false,"));
  return out + "\n}\n";
}

/// The same for a tokenizer with byte fallback. Throws InvalidArgument if the unknown token has no text or a later
/// token has the same: the file names it only by its text.
inline std::string hugging_face_tokenizer_json(const ByteFallbackTokenizer& tokenizer) {
  if (const auto unknown = tokenizer.unknown()) {
    const std::string_view text = tokenizer.token_text(*unknown);
    if (text.empty()) {
      throw InvalidArgument("tokenizer.json: expected an unknown token with a text, found none in token " +
                            std::to_string(*unknown));
    }
    if (const auto found = tokenizer.find_token(text); found != unknown) {
      throw InvalidArgument("tokenizer.json: expected one token with the text of the unknown token, " +
                            detail::quoted_token(text) + ", found tokens " + std::to_string(*unknown) + " and " +
                            std::to_string(*found));
    }
  }
  constexpr std::string_view replace =
      "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xE2\x96\x81\"}";
  constexpr std::string_view prepend = "{\"type\": \"Prepend\", \"prepend\": \"\xE2\x96\x81\"}";
  const SpacePrefix prefix = tokenizer.space_prefix();
  const bool normalizer = is_normalizer(prefix);
  std::string out = detail::tokenizer_json_begin(tokenizer);
  if (!normalizer) {
    out += "null";
  } else if (prefix == SpacePrefix::none) {
    out += replace;
  } else {
    out.append(R"({"type": "Sequence", "normalizers": [)").append(prepend).append(", ").append(replace).append("]}");
  }
  out += ",\n  \"pre_tokenizer\": ";
  const char* const split = tokenizer.split_at_spaces() ? "true}" : "false}";
  const auto append_metaspace = [&](const char* scheme) {
    out.append("{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"")
        .append(scheme)
        .append("\", \"split\": ")
        .append(split);
  };
  if (!normalizer) {
    append_metaspace(prefix == SpacePrefix::no_part ? "never" : prefix == SpacePrefix::first_part ? "first" : "always");
  } else if (tokenizer.split_at_spaces()) {
    append_metaspace("never");
  } else {
    out += "null";
  }
  out += ",\n  \"post_processor\": ";
  detail::append_post_processor(out, tokenizer);
  out +=
      ",\n  \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": "
      "\"\xE2\x96\x81\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}";
  if (adds_space(prefix)) out += R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})";
  out += "]},\n  \"model\": ";
  std::string flags = R"("unk_token": )";
  if (tokenizer.unknown()) {
    detail::append_json_string(flags, tokenizer.token_text(*tokenizer.unknown()));
  } else {
    flags += "null";
  }
  const auto append_flag = [&](const char* name, bool value) {
    flags.append(", \"").append(name).append("\": ").append(value ? "true" : "false");
  };
  append_flag("fuse_unk", tokenizer.fuse_unknown());
  append_flag("byte_fallback", tokenizer.byte_fallback());
  append_flag("ignore_merges", false);
  detail::append_byte_pair_model(out, tokenizer, flags + ",");
  return out + "\n}\n";
}

/// The same for a unigram tokenizer. Throws InvalidArgument if a token of its vocabulary has no text, since the file's
/// vocabulary cannot skip it.
inline std::string hugging_face_tokenizer_json(const UnigramTokenizer& tokenizer) {
  const std::string space(written_space);
  std::string out = detail::tokenizer_json_begin(tokenizer);
  out += R"({"type": "Sequence", "normalizers": [)";
  const char* separator = "";
  for (const SpaceStep step : tokenizer.normalizer()) {
    out += separator;
    separator = ", ";
    if (step == SpaceStep::strip_left) out += R"({"type": "Strip", "strip_left": true, "strip_right": false})";
    if (step == SpaceStep::strip_right) out += R"({"type": "Strip", "strip_left": false, "strip_right": true})";
    if (step == SpaceStep::collapse) out += R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})";
    if (step == SpaceStep::collapse_to_written)
      out += R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": ")" + space + "\"}";
    if (step == SpaceStep::strip_spaces)
      out += R"({"type": "Replace", "pattern": {"Regex": "\\A +| +\\z"}, "content": ""})";
    if (step == SpaceStep::strip_spaces_and_written)
      out += R"({"type": "Replace", "pattern": {"Regex": "\\A +|[ )" + space + R"(]+\\z"}, "content": ""})";
    if (step == SpaceStep::double_first)
      out += R"({"type": "Replace", "pattern": {"Regex": "\\A)" + space + R"("}, "content": ")" + space + space + "\"}";
    if (step == SpaceStep::write)
      out += R"({"type": "Replace", "pattern": {"String": " "}, "content": ")" + space + "\"}";
  }
  out += "]},\n  \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [";
  if (tokenizer.split_at_white_space()) out += R"({"type": "WhitespaceSplit"}, )";
  const SpacePrefix prefix = tokenizer.space_prefix();
  out += R"({"type": "Metaspace", "replacement": ")" + space + R"(", "prepend_scheme": ")" +
         (prefix == SpacePrefix::no_part      ? "never"
          : prefix == SpacePrefix::first_part ? "first"
                                              : "always") +
         R"(", "split": )" + (tokenizer.split_at_spaces() ? "true}]}" : "false}]}");
  out += ",\n  \"post_processor\": ";
  detail::append_post_processor(out, tokenizer);
  out += R"(,
  "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": ")" +
         space + R"("}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"})";
  if (adds_space(prefix)) out += R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})";
  out += "]},\n  \"model\": {\n    \"type\": \"Unigram\",\n    \"unk_id\": " + std::to_string(*tokenizer.unknown()) +
         ",\n    \"byte_fallback\": " + (tokenizer.byte_fallback() ? "true" : "false") + ",\n    \"vocab\": [";
  separator = "\n";
  for (std::size_t i = 0; i < tokenizer.scores().size(); ++i) {
    const std::string_view text = tokenizer.token_text(static_cast<std::int32_t>(i));
    if (text.empty()) {
      throw InvalidArgument("tokenizer.json: expected a text for each token of the vocabulary, found none for token " +
                            std::to_string(i));
    }
    char score[32];
    const auto end = std::to_chars(std::begin(score), std::end(score), tokenizer.scores()[i]).ptr;
    out.append(separator).append("[");
    detail::append_json_string(out, text);
    out.append(", ").append(std::begin(score), end).append("]");
    separator = ",\n";
  }
  return out + "\n    ]\n  }\n}\n";
}

/// Text of a `tokenizer_config.json` to go with hugging_face_tokenizer_json(), so that
/// `transformers.AutoTokenizer.from_pretrained(folder)` finds the class and the names of the special tokens.
///
/// @param model_max_length longest text in tokens; omitted if 0
template <class Tokenizer>
std::string hugging_face_tokenizer_config_json(const Tokenizer& tokenizer, std::uint64_t model_max_length,
                                               std::optional<std::string_view> chat_template = std::nullopt) {
  std::string out = "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n  \"clean_up_tokenization_spaces\": false";
  const auto append_token = [&](std::string_view key, std::optional<std::int32_t> id) {
    if (!id) return;
    out.append(",\n  \"").append(key).append("\": ");
    detail::append_json_string(out, tokenizer.token_text(*id));
  };
  append_token("bos_token", tokenizer.bos());
  append_token("eos_token", tokenizer.eos());
  // Naming a token of the vocabulary makes it a control token, which hides tokens that overlap it; the model names its
  // unknown token itself.
  const auto has_user_defined = [&] {
    for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
      if (tokenizer.token_type(static_cast<std::int32_t>(i)) == TokenType::user_defined) return true;
    }
    return false;
  };
  const TokenType unknown = tokenizer.unknown() ? tokenizer.token_type(*tokenizer.unknown()) : TokenType::normal;
  if (is_literal(unknown) || (unknown == TokenType::unknown && !has_user_defined()))
    append_token("unk_token", tokenizer.unknown());
  append_token("pad_token", tokenizer.padding());
  // Without this key, `transformers` makes each of these a control token.
  const auto names = {tokenizer.bos(), tokenizer.eos(), tokenizer.unknown(), tokenizer.padding()};
  if (std::any_of(names.begin(), names.end(), [&](std::optional<std::int32_t> id) {
        return id && tokenizer.token_type(*id) == TokenType::user_defined;
      })) {
    out += ",\n  \"added_tokens_decoder\": {}";
  }
  if (model_max_length > 0) out += ",\n  \"model_max_length\": " + std::to_string(model_max_length);
  if (chat_template) {
    out += ",\n  \"chat_template\": ";
    detail::append_json_string(out, *chat_template);
  }
  out += "\n}\n";
  return out;
}

}  // namespace zeroth::ZEROTH_ISA::model
