// SPDX-License-Identifier: MIT
#pragma once

#include <sentencepiece_processor.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/any_tokenizer.hpp>
#include <zeroth/model/tokenizer/charsmap.hpp>
#include <zeroth/model/tokenizer/sentencepiece_merges.hpp>
#include <zeroth/model/tokenizer/sentencepiece_model.hpp>
#include <zeroth/model/tokenizer/to_gguf.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>
#include <zeroth/model/tokenizer/unigram_json.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Throws InvalidArgument, naming the field, for a model that the library must not see: it was made for files that its
/// own trainer wrote.
inline void check_sentencepiece_model(const SentencePieceModel& model) {
  const auto fail = [](const std::string& what) { throw InvalidArgument("sentencepiece " + what); };
  std::set<std::string_view> texts;
  std::size_t unknown = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePiece& piece = model.pieces[i];
    const auto fail_piece = [&](const std::string& what) { fail("pieces[" + std::to_string(i) + "]" + what); };
    if (piece.text.empty() || piece.text.size() > 4096 || piece.text.find('\0') != std::string::npos ||
        !is_utf8(piece.text)) {
      fail_piece(": expected UTF-8 of 1 to 4096 bytes without a zero, found " + quoted_token(piece.text));
    }
    if (!texts.insert(piece.text).second) fail_piece(": expected a piece only once, found " + quoted_token(piece.text));
    // The library would find it in a text, and then miss that part of the text.
    if (model.kind == SentencePieceModel::Kind::byte_pair && piece.type == TokenType::control &&
        next_character(piece.text, 0).length == piece.text.size()) {
      fail_piece(": expected a control piece of several characters, found " + quoted_token(piece.text));
    }
    if (!std::isfinite(piece.score)) fail_piece(".score: expected a finite number");
    if (piece.type == TokenType::unknown) ++unknown;
    if (piece.type != TokenType::byte) continue;
    ++bytes;
    if (!byte_of_token(piece.text))
      fail_piece(": expected \"<0x00>\" to \"<0xFF>\", found " + quoted_token(piece.text));
  }
  if (unknown != 1) fail("pieces: expected one of the type unknown, found " + std::to_string(unknown));
  if (bytes != (model.byte_fallback ? 256u : 0u)) {
    fail("pieces: expected " + std::string(model.byte_fallback ? "256" : "none") + " of the type byte, found " +
         std::to_string(bytes));
  }
  for (const auto& [name, id] :
       {std::pair("bos", model.bos), std::pair("eos", model.eos), std::pair("padding", model.padding)}) {
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= model.pieces.size())) {
      fail(std::string(name) + ": expected 0 to " + std::to_string(model.pieces.size() - 1) + ", found " +
           std::to_string(*id));
    }
  }
  if (model.add_bos && !model.bos) fail("add_bos: expected a bos id beside it, found none");
  if (model.add_eos && !model.eos) fail("add_eos: expected an eos id beside it, found none");
  check_charsmap(model.charsmap);
}

}  // namespace detail

/// A tokenizer on the library SentencePiece, for what it alone does: the unigram model, and compiled normalisation.
///
/// Needs the component zeroth::sentencepiece. Immutable after construction and safe to use from several threads; copies
/// share the library's object.
class SentencePieceTokenizer {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if the model contradicts itself.
  explicit SentencePieceTokenizer(SentencePieceModel model) {
    detail::check_sentencepiece_model(model);
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      if (model.pieces[i].type == TokenType::unknown) unknown_ = static_cast<std::int32_t>(i);
    }
    auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
    try {
      const auto status = processor->LoadFromSerializedProto(serialize_sentencepiece_model(model));
      if (!status.ok()) throw InvalidArgument("sentencepiece model: the library says " + status.ToString());
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw InvalidArgument(std::string("sentencepiece model: the library says ") + error.what());
    }
    processor_ = std::move(processor);
    model_ = std::make_shared<SentencePieceModel>(std::move(model));
  }

  /// The ids of `text`, with no special token added; see SentencePieceProcessor::Encode(). Bytes that are not UTF-8
  /// count as U+FFFD. Throws Error if the library fails.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<int> ids;
    const auto status = processor_->Encode(is_utf8(text) ? std::string(text) : replace_invalid_utf8(text), &ids);
    if (!status.ok()) throw Error("sentencepiece: the library says " + status.ToString());
    return {ids.begin(), ids.end()};
  }

  /// The bytes that `ids` stand for, without the space that encode() put before the text. Text that was normalised
  /// comes back as it became. Throws InvalidArgument for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string result;
    for (const std::int32_t id : ids) result += token_bytes(id);
    if (model_->add_dummy_prefix && !model_->whitespace_as_suffix && result.starts_with(' ')) result.erase(0, 1);
    return result;
  }

  /// The bytes that one token stands for, its space included. Throws InvalidArgument for an id outside the vocabulary.
  std::string token_bytes(std::int32_t id) const {
    const SentencePiece& piece = piece_at(id);
    return sentencepiece_bytes(piece.text, piece.type);
  }

  /// The text of a token as the vocabulary has it. Throws InvalidArgument for an id outside the vocabulary.
  std::string_view token_text(std::int32_t id) const { return piece_at(id).text; }

  /// Throws InvalidArgument for an id outside the vocabulary.
  TokenType token_type(std::int32_t id) const { return piece_at(id).type; }

  /// A user-defined token is found by its text alone.
  AddedTokenRule added_token_rule(std::int32_t id) const { return {.id = id}; }

  std::size_t vocabulary_size() const { return model_->pieces.size(); }
  std::optional<std::int32_t> bos() const { return model_->bos; }
  std::optional<std::int32_t> eos() const { return model_->eos; }
  std::optional<std::int32_t> unknown() const { return unknown_; }
  std::optional<std::int32_t> padding() const { return model_->padding; }

  /// Whether the model wants bos() before each text.
  bool add_bos() const { return model_->add_bos; }

  /// Whether the model wants eos() after each text.
  bool add_eos() const { return model_->add_eos; }

  const SentencePieceModel& model() const { return *model_; }

 private:
  const SentencePiece& piece_at(std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary_size()) {
      throw InvalidArgument("tokenizer id: expected 0 to " + std::to_string(vocabulary_size() - 1) + ", found " +
                            std::to_string(id));
    }
    return model_->pieces[static_cast<std::size_t>(id)];
  }

  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
  std::shared_ptr<const SentencePieceModel> model_;
  std::optional<std::int32_t> unknown_;
};

namespace detail {

/// The steps of the normalizer that Hugging Face makes of a SentencePiece model, each with a comma after it.
inline std::string sentencepiece_normalizer_steps(const SentencePieceModel& model) {
  std::string out;
  if (!model.charsmap.empty()) {
    out += R"({"type": "Precompiled", "precompiled_charsmap": ")" + to_base64(model.charsmap) + "\"}, ";
  }
  if (model.remove_extra_whitespaces) {
    out += R"({"type": "Strip", "strip_left": true, "strip_right": true}, )";
    out += R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, )";
  }
  return out;
}

/// The pieces that a tokenizer.json of a unigram model has: all but unused ones at the end, such as the names of rows
/// that pad a model. Throws InvalidArgument for another unused piece, which Hugging Face would find in a text, and if
/// no piece is left that a text can have.
inline std::span<const SentencePiece> used_pieces(const SentencePieceModel& model) {
  std::size_t count = model.pieces.size();
  const auto is_special = [&](std::size_t i) {
    const auto id = static_cast<std::int32_t>(i);
    return model.bos == id || model.eos == id || model.padding == id;
  };
  while (count > 0 && model.pieces[count - 1].type == TokenType::unused && !is_special(count - 1)) --count;
  for (std::size_t i = 0; i < count; ++i) {
    if (model.pieces[i].type != TokenType::unused) continue;
    throw InvalidArgument("tokenizer.json: expected a unigram model without pieces of the type unused, found pieces[" +
                          std::to_string(i) + "], " + quoted_token(model.pieces[i].text));
  }
  const std::span<const SentencePiece> used = std::span(model.pieces).first(count);
  if (std::none_of(used.begin(), used.end(), [](const SentencePiece& piece) {
        return piece.type == TokenType::normal || piece.type == TokenType::user_defined;
      })) {
    throw InvalidArgument(
        "tokenizer.json: expected a unigram model with a piece of the type normal or user-defined, found none");
  }
  return used;
}

}  // namespace detail

/// Text of the `tokenizer.json` from which Hugging Face makes a like tokenizer. Its normalisation works on grapheme
/// clusters, the library's on code points; texts in which that matters are rare. Throws InvalidArgument for what it
/// cannot express: whitespace_as_suffix, and an unused piece of a unigram model with others after it or none beside it.
inline std::string hugging_face_tokenizer_json(const SentencePieceTokenizer& tokenizer) {
  const SentencePieceModel& model = tokenizer.model();
  if (model.whitespace_as_suffix) {
    throw InvalidArgument("tokenizer.json: expected a SentencePiece model without treat_whitespace_as_suffix");
  }
  const std::string steps = detail::sentencepiece_normalizer_steps(model);
  const std::string replace =
      "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" + std::string(written_space) + "\"}";
  if (model.kind == SentencePieceModel::Kind::byte_pair) {
    SentencePieceModel plain = model;
    plain.charsmap.clear();
    plain.remove_extra_whitespaces = false;
    plain.add_dummy_prefix = false;
    std::string out = hugging_face_tokenizer_json(byte_fallback_tokenizer(plain));
    const std::string prepend =
        model.add_dummy_prefix ? "{\"type\": \"Prepend\", \"prepend\": \"" + std::string(written_space) + "\"}, " : "";
    const std::string before = "\"normalizer\": " + replace;
    out.replace(out.find(before), before.size(),
                R"("normalizer": {"type": "Sequence", "normalizers": [)" + steps + prepend + replace + "]}");
    return out;
  }
  std::string out = detail::tokenizer_json_begin(tokenizer);
  out += R"({"type": "Sequence", "normalizers": [)" + steps + replace + "]}";
  out += ",\n  \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"" + std::string(written_space) +
         "\", \"prepend_scheme\": \"" + (model.add_dummy_prefix ? "always" : "never") + "\", \"split\": false}";
  out += ",\n  \"post_processor\": ";
  detail::append_post_processor(out, tokenizer);
  out +=
      ",\n  \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"" +
      std::string(written_space) + "\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}";
  if (model.add_dummy_prefix) out += R"(, {"type": "Strip", "content": " ", "start": 1, "stop": 0})";
  out += "]},\n  \"model\": {\n    \"type\": \"Unigram\",\n    \"unk_id\": " + std::to_string(*tokenizer.unknown()) +
         ",\n    \"byte_fallback\": " + (model.byte_fallback ? "true" : "false") + ",\n    \"vocab\": [";
  const char* separator = "\n";
  for (const SentencePiece& piece : detail::used_pieces(model)) {
    char score[32];
    const auto end = std::to_chars(std::begin(score), std::end(score), static_cast<double>(piece.score)).ptr;
    out.append(separator).append("[");
    detail::append_json_string(out, piece.text);
    out.append(", ").append(std::begin(score), end).append("]");
    separator = ",\n";
  }
  return out + "\n    ]\n  }\n}\n";
}

/// Sets the keys of a GGUF file from which load_tokenizer(), and llama.cpp, make this tokenizer: of the model "t5". As
/// the others of this name in to_gguf.hpp; they say all. Throws InvalidArgument for what llama.cpp lacks: byte fallback
/// in a unigram model, spaces that end words, and normalisation in a byte-pair model.
inline bool set_tokenizer_metadata(GgufWriter& writer, const SentencePieceTokenizer& tokenizer,
                                   std::size_t vocabulary) {
  detail::set_gguf_unigram(writer, tokenizer.model(), vocabulary);
  detail::set_gguf_special_tokens(writer, tokenizer);
  return true;
}

/// A tokenizer of any SentencePiece model: what load_tokenizer() takes as its SentencePieceMaker.
inline AnyTokenizer sentencepiece_tokenizer(SentencePieceModel model, std::vector<TokenizerFile> files) {
  return AnyTokenizer(SentencePieceTokenizer(std::move(model)), std::move(files));
}

}  // namespace zeroth::ZEROTH_ISA::model
