// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/tokenizer_json.hpp>
#include <zeroth_model/tokenizer/unigram_tokenizer.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// The regular expressions with which a tokenizer.json expresses SentencePiece's treatment of spaces.
inline constexpr std::string_view outer_spaces = "\\A +| +\\z";
inline constexpr std::string_view outer_and_last_written_spaces = "\\A +|[ \xE2\x96\x81]+\\z";
inline constexpr std::string_view first_written_space = "\\A\xE2\x96\x81";

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes base 64; nothing if `text` is not that.
inline std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string result;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t digit = base64_digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    result += static_cast<char>((bits >> count) & 0xFF);
  }
  return result;
}

inline std::string to_base64(std::string_view bytes) {
  std::string result;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = (bits << 8) | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      result += i + j <= bytes.size() ? base64_digits[(bits >> (18 - 6 * j)) & 63u] : '=';
    }
  }
  return result;
}

/// Whether the file's normalizer has rules that SentencePiece compiled.
inline bool has_charsmap(const JsonValue& root) {
  const std::vector<JsonValue> steps = unrolled_steps(root, "normalizer", "normalizers");
  return std::any_of(steps.begin(), steps.end(), [](const JsonValue& step) {
    return step.has("type", "Precompiled") && !step.has("precompiled_charsmap", "");
  });
}

/// Reads the steps of the normalizer; `use_charsmap(step)` receives the compiled rules.
template <class UseCharsmap>
std::vector<SpaceStep> read_space_steps(const JsonValue& root, const UseCharsmap& use_charsmap) {
  std::vector<SpaceStep> steps;
  for (const JsonValue& step : unrolled_steps(root, "normalizer", "normalizers")) {
    const bool to_space = step.has("content", " ") || step.has("content", written_space);
    if (step.has("type", "Precompiled")) {
      use_charsmap(step);
    } else if (step.has("type", "Replace") && has_pattern(step, "Regex", " {2,}") && to_space) {
      steps.push_back(SpaceStep::collapse);
      // Kept as a step of its own: a single space stays.
      if (step.has("content", written_space)) steps.back() = SpaceStep::collapse_to_written;
    } else if (step.has("type", "Strip")) {
      if (step.find<bool>("strip_left").value_or(false)) steps.push_back(SpaceStep::strip_left);
      if (step.find<bool>("strip_right").value_or(false)) steps.push_back(SpaceStep::strip_right);
    } else if (writes_spaces(step)) {
      steps.push_back(SpaceStep::write);
    } else if (step.has("type", "Replace") && has_pattern(step, "Regex", outer_spaces) && step.has("content", "")) {
      steps.push_back(SpaceStep::strip_spaces);
    } else if (step.has("type", "Replace") && has_pattern(step, "Regex", outer_and_last_written_spaces) &&
               step.has("content", "")) {
      steps.push_back(SpaceStep::strip_spaces_and_written);
    } else if (step.has("type", "Replace") && has_pattern(step, "Regex", first_written_space) &&
               step.has("content", "\xE2\x96\x81\xE2\x96\x81")) {
      steps.push_back(SpaceStep::double_first);
    } else {
      throw step.mismatch("\"Precompiled\", \"Strip\" or a \"Replace\" of spaces");
    }
  }
  return steps;
}

/// The settings of a Metaspace and of a WhitespaceSplit before it.
struct UnigramSpaces {
  bool split_at_white_space = false;
  SpacePrefix prefix = SpacePrefix::no_part;
  bool split = true;
};

inline UnigramSpaces read_unigram_spaces(const JsonValue& root) {
  UnigramSpaces spaces;
  bool metaspace = false;
  for (const JsonValue& step : unrolled_steps(root, "pre_tokenizer", "pretokenizers")) {
    if (step.has("type", "WhitespaceSplit") && !metaspace) {
      spaces.split_at_white_space = true;
      continue;
    }
    if (!step.has("type", "Metaspace") || metaspace) {
      throw step.mismatch("one \"Metaspace\", with or without \"WhitespaceSplit\" before it");
    }
    metaspace = true;
    spaces.prefix = read_metaspace_prefix(step);
    spaces.split = step.find<bool>("split").value_or(true);
    if (spaces.split_at_white_space && spaces.prefix == SpacePrefix::first_part) {
      throw step.get("prepend_scheme").mismatch("\"always\" or \"never\" after \"WhitespaceSplit\"");
    }
  }
  if (!metaspace) throw root.get("pre_tokenizer", "\"Metaspace\"").mismatch("\"Metaspace\"");
  return spaces;
}

/// The tokens of the file, including the unknown one, which may also be an added token, and those of bytes.
inline TokenTableData read_unigram_tokens(const JsonValue& root, TokenTableData common) {
  const JsonValue fields = root.get("model");
  const bool byte_fallback = fields.find<bool>("byte_fallback").value_or(false);
  for (std::size_t i = 0; i < common.tokens.size() && byte_fallback; ++i) {
    if (common.token_types[i] == static_cast<std::int32_t>(TokenType::normal) && byte_of_token(common.tokens[i]))
      common.token_types[i] = static_cast<std::int32_t>(TokenType::byte);
  }
  const JsonValue unknown = fields.get("unk_id", "an id of the vocabulary");
  common.unknown = json_token_id(unknown);
  if (static_cast<std::size_t>(*common.unknown) >= fields.get("vocab").json().size())
    throw unknown.mismatch("an id of the vocabulary");
  // As an added token it is found, or hides tokens that overlap it, like any other.
  auto& type = common.token_types[static_cast<std::size_t>(*common.unknown)];
  if (!is_literal(static_cast<TokenType>(type))) type = static_cast<std::int32_t>(TokenType::unknown);
  return common;
}

inline std::vector<double> read_unigram_scores(const JsonValue& root) {
  std::vector<double> scores;
  for (const JsonValue& entry : root.get("model").get("vocab").elements())
    scores.push_back(entry.elements()[1].as<double>());
  return scores;
}

/// The tokenizer of a file that has no compiled rules.
inline UnigramTokenizer read_unigram(const JsonValue& root, TokenTableData common) {
  UnigramData data;
  static_cast<TokenTableData&>(data) = read_unigram_tokens(root, std::move(common));
  data.scores = read_unigram_scores(root);
  data.normalizer = read_space_steps(root, [](const JsonValue&) {});
  const UnigramSpaces spaces = read_unigram_spaces(root);
  data.split_at_white_space = spaces.split_at_white_space;
  data.space_prefix = spaces.prefix;
  data.split_at_spaces = spaces.split;
  data.byte_fallback = root.get("model").find<bool>("byte_fallback").value_or(false);
  const bool strips = std::any_of(data.normalizer.begin(), data.normalizer.end(), [](SpaceStep step) {
    return step == SpaceStep::strip_left || step == SpaceStep::strip_spaces ||
           step == SpaceStep::strip_spaces_and_written;
  });
  if (strips && spaces.prefix == SpacePrefix::first_part) {
    constexpr std::string_view expected = "\"always\" or \"never\" after a \"Strip\"";
    throw root.get("pre_tokenizer").mismatch(expected, "\"first\"");
  }
  return UnigramTokenizer(data);
}

/// The SentencePiece model that a file with compiled rules was made from.
inline SentencePieceModel read_unigram_model(const JsonValue& root, TokenTableData common) {
  common = read_unigram_tokens(root, std::move(common));
  const std::vector<double> scores = read_unigram_scores(root);
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.byte_fallback = root.get("model").find<bool>("byte_fallback").value_or(false);
  for (std::size_t i = 0; i < common.tokens.size(); ++i) {
    SentencePiece piece{.text = std::string(common.tokens[i]), .type = static_cast<TokenType>(common.token_types[i])};
    if (i < scores.size()) piece.score = static_cast<float>(scores[i]);
    if (piece.type == TokenType::user_defined) model.found_first.push_back(static_cast<std::int32_t>(i));
    if (static_cast<std::int32_t>(i) == common.unknown) {
      if (is_literal(piece.type)) model.added_unknown = piece.type;
      piece.type = TokenType::unknown;
    }
    model.pieces.push_back(std::move(piece));
  }
  for (const AddedTokenRule& rule : common.added_token_rules) {
    const auto type = static_cast<TokenType>(common.token_types[static_cast<std::size_t>(rule.id)]);
    if (!rule.normalized || type != TokenType::user_defined) continue;
    throw root.get("normalizer")
        .mismatch("none of the type \"Precompiled\" with the added token " +
                  quoted_token(printable(common.tokens[static_cast<std::size_t>(rule.id)])) +
                  " with \"normalized\" true");
  }
  const std::vector<SpaceStep> steps = read_space_steps(root, [&](const JsonValue& step) {
    const JsonValue rules = step.get("precompiled_charsmap", "one, in base 64");
    const auto charsmap = from_base64(rules.as<std::string_view>());
    if (!charsmap || !model.charsmap.empty()) throw rules.mismatch("one, in base 64");
    model.charsmap = *charsmap;
  });
  const UnigramSpaces spaces = read_unigram_spaces(root);
  model.remove_extra_whitespaces =
      spaces.split_at_white_space || std::any_of(steps.begin(), steps.end(), [](SpaceStep step) {
        return step == SpaceStep::collapse || step == SpaceStep::collapse_to_written;
      });
  model.add_dummy_prefix = adds_space(spaces.prefix);
  if (spaces.prefix == SpacePrefix::first_part && !model.found_first.empty()) {
    throw root.get("pre_tokenizer")
        .mismatch("a \"Metaspace\" with \"always\" or \"never\" with added tokens and \"Precompiled\"", "\"first\"");
  }
  model.only_added = common.only_added;
  model.added_token_rules = common.added_token_rules;
  model.bos = common.bos;
  model.eos = common.eos;
  model.padding = common.padding;
  model.add_bos = common.add_bos;
  model.add_eos = common.add_eos;
  return model;
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
