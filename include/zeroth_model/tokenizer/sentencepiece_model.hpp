// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/tokenizer/space_prefix.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A piece of a SentencePiece model: a token.
struct SentencePiece {
  std::string text;  ///< U+2581 for a space
  float score = 0;
  TokenType type = TokenType::normal;
};

/// The contents of a SentencePiece model, wherever they were read from: a tokenizer.model, a GGUF file or a
/// tokenizer.json.
struct SentencePieceModel {
  /// Numbered as in tokenizer.model.
  enum class Kind : std::uint8_t { unigram = 1, byte_pair = 2 };

  Kind kind = Kind::unigram;
  std::vector<SentencePiece> pieces;  ///< in order of id
  /// Its normalisation rules, compiled by SentencePiece; empty: none.
  std::string charsmap;
  bool add_dummy_prefix = true;          ///< a space before each text
  bool remove_extra_whitespaces = true;  ///< none at the ends, single ones between words
  bool whitespace_as_suffix = false;     ///< spaces end words instead of beginning them
  bool byte_fallback = false;
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  std::optional<std::int32_t> padding;
  bool add_bos = false;
  bool add_eos = false;
  /// Tokens that other files add; they are found in a text before normalisation. They come last.
  std::vector<std::int32_t> only_added;
  std::vector<AddedTokenRule> added_token_rules;
  /// User-defined tokens that are searched for in the text before normalisation.
  std::vector<std::int32_t> found_first;
  /// How other files add the unknown piece, if they do: as a control or a user-defined token.
  std::optional<TokenType> added_unknown;
  /// Normal pieces that other files make control or user-defined tokens: merges form them as well.
  std::vector<std::int32_t> merged_too;
  /// For a byte-pair encoding without normalisation, read like the class `LlamaTokenizer` of `transformers`: where that
  /// puts spaces, one of the last three. Its merges come in order of id, and of two that form the same token the one
  /// with the shorter left side first; they also form control tokens.
  std::optional<SpacePrefix> llama_prefix;
};

namespace detail {

/// Reads the fields of a protocol buffer's message.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint32_t field = 0;   ///< number of the field that next() found
  std::uint64_t number = 0;  ///< its value, if it is a number
  std::string_view text;

  /// False at the end. Throws InvalidFile with only the reason if the bytes are not a message.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t key = varint();
    if (key >> 3 == 0 || key >> 3 >= (1u << 29)) fail();
    field = static_cast<std::uint32_t>(key >> 3);
    number = 0;
    text = {};
    switch (key & 7) {
      case 0:
        number = varint();
        break;
      case 1:
        number = fixed(8);
        break;
      case 2:
        text = take(varint());
        break;
      case 5:
        number = fixed(4);
        break;
      default:
        fail();
    }
    return true;
  }

  float as_float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(number)); }

 private:
  [[noreturn]] static void fail() {
    throw InvalidFile("expected a SentencePiece model, found other or truncated bytes");
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) fail();
    const std::string_view result = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += result.size();
    return result;
  }

  std::uint64_t fixed(unsigned size) {
    const std::string_view bytes = take(size);
    std::uint64_t result = 0;
    for (unsigned i = 0; i < size; ++i) result |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return result;
  }

  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      result |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return result;
    }
    fail();
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

inline void append_proto_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, std::uint64_t{field} << 3);
  append_varint(out, value);
}

inline void append_proto_text(std::string& out, std::uint32_t field, std::string_view text) {
  append_varint(out, (std::uint64_t{field} << 3) | 2);
  append_varint(out, text.size());
  out += text;
}

inline void append_proto_float(std::string& out, std::uint32_t field, float value) {
  append_varint(out, (std::uint64_t{field} << 3) | 5);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
}

inline SentencePiece parse_sentencepiece(std::string_view message) {
  SentencePiece piece;
  ProtoReader reader(message);
  while (reader.next()) {
    if (reader.field == 1) piece.text = reader.text;
    if (reader.field == 2) piece.score = reader.as_float();
    if (reader.field != 3) continue;
    if (reader.number < 1 || reader.number > 6) {
      throw InvalidFile("pieces.type: expected 1 to 6, found " + std::to_string(reader.number));
    }
    piece.type = static_cast<TokenType>(reader.number);
  }
  return piece;
}

/// Reads a TrainerSpec: the parts that concern the model's use.
inline void parse_sentencepiece_trainer(std::string_view message, SentencePieceModel& model, std::string& bos,
                                        std::string& eos, std::string& padding) {
  ProtoReader reader(message);
  while (reader.next()) {
    switch (reader.field) {
      case 3:
        if (reader.number != 1 && reader.number != 2) {
          throw InvalidFile("trainer_spec.model_type: expected 1 (unigram) or 2 (BPE), found " +
                            std::to_string(reader.number));
        }
        model.kind = static_cast<SentencePieceModel::Kind>(reader.number);
        break;
      case 24:
        model.whitespace_as_suffix = reader.number != 0;
        break;
      case 35:
        model.byte_fallback = reader.number != 0;
        break;
      case 46:
        bos = reader.text;
        break;
      case 47:
        eos = reader.text;
        break;
      case 48:
        padding = reader.text;
        break;
      default:
        break;
    }
  }
}

/// Reads a NormalizerSpec.
inline void parse_sentencepiece_normalizer(std::string_view message, SentencePieceModel& model) {
  ProtoReader reader(message);
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        model.charsmap = reader.text;
        break;
      case 3:
        model.add_dummy_prefix = reader.number != 0;
        break;
      case 4:
        model.remove_extra_whitespaces = reader.number != 0;
        break;
      case 5:
        if (reader.number == 0) throw InvalidFile("normalizer_spec.escape_whitespaces: expected true, found false");
        break;
      default:
        break;
    }
  }
}

}  // namespace detail

/// Reads the bytes of a tokenizer.model. The special tokens are the pieces that it names; it does not say whether bos
/// or eos is added. Throws InvalidFile, naming `path`, the field, what was expected and what was found.
inline SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& path) {
  SentencePieceModel model;
  std::string bos = "<s>";
  std::string eos = "</s>";
  std::string padding = "<pad>";
  try {
    detail::ProtoReader reader(bytes);
    while (reader.next()) {
      if (reader.field == 1) {
        model.pieces.push_back(detail::parse_sentencepiece(reader.text));
        if (model.pieces.back().text.empty()) {
          throw InvalidFile("pieces[" + std::to_string(model.pieces.size() - 1) +
                            "].piece: expected a text, found none");
        }
      }
      if (reader.field == 2) detail::parse_sentencepiece_trainer(reader.text, model, bos, eos, padding);
      if (reader.field == 3) detail::parse_sentencepiece_normalizer(reader.text, model);
    }
  } catch (const InvalidFile& error) {
    throw InvalidFile(path + ": " + error.what());
  }
  if (model.pieces.empty()) throw InvalidFile(path + ": expected a SentencePiece model, found no pieces");
  // The library rejects repeated texts too.
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const auto [first, is_new] = known.try_emplace(model.pieces[i].text, i);
    if (is_new) continue;
    throw InvalidFile(
        path + ": pieces[" + std::to_string(i) + "].piece: expected a text that no other piece has, found " +
        detail::quoted_token(model.pieces[i].text) + ", that of pieces[" + std::to_string(first->second) + "]");
  }
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePiece& piece = model.pieces[i];
    if (piece.type != TokenType::control) continue;
    if (piece.text == bos) model.bos = static_cast<std::int32_t>(i);
    if (piece.text == eos) model.eos = static_cast<std::int32_t>(i);
    if (piece.text == padding) model.padding = static_cast<std::int32_t>(i);
  }
  return model;
}

/// The bytes of a tokenizer.model with the contents of `model`, except bos, eos and padding.
inline std::string serialize_sentencepiece_model(const SentencePieceModel& model) {
  std::string out;
  std::string message;
  for (const SentencePiece& piece : model.pieces) {
    message.clear();
    detail::append_proto_text(message, 1, piece.text);
    detail::append_proto_float(message, 2, piece.score);
    detail::append_proto_number(message, 3, static_cast<std::uint64_t>(piece.type));
    detail::append_proto_text(out, 1, message);
  }
  message.clear();
  detail::append_proto_number(message, 3, static_cast<std::uint64_t>(model.kind));
  detail::append_proto_number(message, 24, model.whitespace_as_suffix ? 1 : 0);
  detail::append_proto_number(message, 35, model.byte_fallback ? 1 : 0);
  detail::append_proto_text(out, 2, message);
  message.clear();
  detail::append_proto_text(message, 1, model.charsmap.empty() ? "identity" : "user_defined");
  detail::append_proto_text(message, 2, model.charsmap);
  detail::append_proto_number(message, 3, model.add_dummy_prefix ? 1 : 0);
  detail::append_proto_number(message, 4, model.remove_extra_whitespaces ? 1 : 0);
  detail::append_proto_number(message, 5, 1);
  detail::append_proto_text(out, 3, message);
  return out;
}

/// The bytes of a piece: U+2581 is a space, "<0x41>" of the type byte is one byte, and control and user-defined pieces
/// are their text.
inline std::string sentencepiece_bytes(std::string_view text, TokenType type) {
  if (type == TokenType::control || type == TokenType::user_defined) return std::string(text);
  if (type == TokenType::byte) {
    if (const auto byte = byte_of_token(text)) return {static_cast<char>(*byte)};
  }
  return with_read_spaces(text);
}

}  // namespace zeroth::ZEROTH_ISA::model
