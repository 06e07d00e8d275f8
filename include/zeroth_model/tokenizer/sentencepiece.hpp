// SPDX-License-Identifier: MIT
#pragma once

#include <sentencepiece_processor.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/added_tokens.hpp>
#include <zeroth_model/tokenizer/any_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_trie.hpp>
#include <zeroth_model/tokenizer/charsmap.hpp>
#include <zeroth_model/tokenizer/sentencepiece_merges.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/to_gguf.hpp>
#include <zeroth_model/tokenizer/unigram_json.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Throws InvalidArgument, naming the field, for a model that must not reach the library, which was written for its own
/// trainer's files.
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
    // The library would find it in a text, and then drop that part of the text.
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
  if (model.add_bos && !model.bos) fail("add_bos: expected a bos id with it, found none");
  if (model.add_eos && !model.eos) fail("add_eos: expected an eos id with it, found none");
  check_charsmap(model.charsmap);
}

/// Throws InvalidArgument if more user-defined pieces are prefixes of each other than the library has room for: it
/// stores all of them that begin a text in an array of 64, and reads past its end.
inline void check_user_defined_pieces(const SentencePieceModel& model) {
  constexpr std::size_t most = 64;
  std::vector<std::string_view> texts;
  for (const SentencePiece& piece : model.pieces) {
    if (piece.type == TokenType::user_defined) texts.emplace_back(piece.text);
  }
  const ByteTrie trie(texts);
  std::vector<std::size_t> counts(trie.size());
  for (ByteTrie::Node node = 0; node < trie.size(); ++node) {
    if (trie.text(node) != ByteTrie::none && ++counts[node] > most) {
      throw InvalidArgument("sentencepiece pieces: expected at most 64 of the type user-defined that begin " +
                            quoted_token(texts[static_cast<std::size_t>(trie.text(node))]) + ", found more");
    }
    const auto [begin, end] = trie.children(node);
    std::fill(counts.begin() + begin, counts.begin() + end, counts[node]);
  }
}

}  // namespace detail

/// A tokenizer on the library SentencePiece, for what only it supports: the unigram model, and compiled normalisation.
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
    const SentencePieceModel given = library_model(model);
    detail::check_user_defined_pieces(given);
    auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
    try {
      const auto status = processor->LoadFromSerializedProto(serialize_sentencepiece_model(given));
      if (!status.ok()) throw InvalidArgument("sentencepiece model: the library says " + status.ToString());
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw InvalidArgument(std::string("sentencepiece model: the library says ") + error.what());
    }
    processor_ = std::move(processor);
    added_ = AddedTokens(found_first(model));
    model_ = std::make_shared<SentencePieceModel>(std::move(model));
  }

  /// The ids of `text`, without added special tokens; see SentencePieceProcessor::Encode(). Tokens that other files add
  /// are taken out first, and each stretch between them is a text of its own. Bytes that are not UTF-8 count as U+FFFD.
  /// Throws Error if the library fails. A unigram model takes O(n L) for n bytes of text and a longest piece or rule of
  /// L bytes, and 20 to 240 bytes of memory per byte of text, depending on its number of pieces.
  std::vector<std::int32_t> encode(std::string_view text) const {
    const std::string repaired = is_utf8(text) ? std::string(text) : replace_invalid_utf8(text);
    std::vector<std::int32_t> ids;
    added_.split(
        repaired,
        [&](std::string_view part) {
          std::vector<int> part_ids;
          const auto status = processor_->Encode(std::string(part), &part_ids);
          if (!status.ok()) throw Error("sentencepiece: the library says " + status.ToString());
          ids.insert(ids.end(), part_ids.begin(), part_ids.end());
        },
        [&](std::int32_t id) { ids.push_back(id); });
    return ids;
  }

  /// The bytes of `ids`, without the space that encode() puts before the text. Normalised text is returned as
  /// normalised. Throws InvalidArgument for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string result;
    for (const std::int32_t id : ids) result += token_bytes(id);
    if (model_->add_dummy_prefix && !model_->whitespace_as_suffix && result.starts_with(' ')) result.erase(0, 1);
    return result;
  }

  /// The bytes of one token, including its space. Throws InvalidArgument for an id outside the vocabulary.
  std::string token_bytes(std::int32_t id) const {
    const SentencePiece& piece = piece_at(id);
    return sentencepiece_bytes(piece.text, token_type(id));
  }

  /// The text of a token as in the vocabulary. Throws InvalidArgument for an id outside the vocabulary.
  std::string_view token_text(std::int32_t id) const { return piece_at(id).text; }

  /// Throws InvalidArgument for an id outside the vocabulary.
  TokenType token_type(std::int32_t id) const {
    const TokenType type = piece_at(id).type;
    return type == TokenType::unknown ? model_->added_unknown.value_or(type) : type;
  }

  /// How a control or user-defined token is found in a text.
  AddedTokenRule added_token_rule(std::int32_t id) const {
    for (const AddedTokenRule& rule : model_->added_token_rules) {
      if (rule.id == id) return rule;
    }
    return {.id = id};
  }

  /// Whether the model's own vocabulary lacks the token, so that it is found in a text only as a whole, if at all.
  bool is_only_added(std::int32_t id) const {
    return std::find(model_->only_added.begin(), model_->only_added.end(), id) != model_->only_added.end();
  }

  std::size_t vocabulary_size() const { return model_->pieces.size(); }
  std::optional<std::int32_t> bos() const { return model_->bos; }
  std::optional<std::int32_t> eos() const { return model_->eos; }
  std::optional<std::int32_t> unknown() const { return unknown_; }
  std::optional<std::int32_t> padding() const { return model_->padding; }

  /// Whether the model expects bos() before each text.
  bool add_bos() const { return model_->add_bos; }

  /// Whether the model expects eos() after each text.
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

  static std::vector<bool> is_found_first(const SentencePieceModel& model) {
    std::vector<bool> result(model.pieces.size());
    const auto mark = [&](std::int32_t id) {
      if (id < 0 || static_cast<std::size_t>(id) >= result.size()) {
        throw InvalidArgument("sentencepiece added token: expected an id of the pieces, found " + std::to_string(id));
      }
      result[static_cast<std::size_t>(id)] = true;
    };
    for (const std::int32_t id : model.only_added) mark(id);
    for (const std::int32_t id : model.found_first) mark(id);
    for (const AddedTokenRule& rule : model.added_token_rules) mark(rule.id);
    return result;
  }

  /// The tokens that are taken out of a text before the library sees it; if there are any, control tokens also hide
  /// tokens that overlap them.
  static std::vector<AddedTokens::Token> found_first(const SentencePieceModel& model) {
    const std::vector<bool> is_first = is_found_first(model);
    std::map<std::int32_t, AddedTokenRule> rules;
    for (const AddedTokenRule& rule : model.added_token_rules) rules.insert_or_assign(rule.id, rule);
    std::vector<AddedTokens::Token> tokens;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      const SentencePiece& piece = model.pieces[i];
      const TokenType type = piece.type == TokenType::unknown ? model.added_unknown.value_or(piece.type) : piece.type;
      const bool is_control = type == TokenType::control;
      if (!is_control && !(is_first[i] && type == TokenType::user_defined)) continue;
      const auto id = static_cast<std::int32_t>(i);
      const auto found = rules.find(id);
      const AddedTokenRule rule = found == rules.end() ? AddedTokenRule{.id = id} : found->second;
      tokens.push_back({.text = piece.text,
                        .id = id,
                        .skip = is_control,
                        .strip_left = rule.strip_left,
                        .strip_right = rule.strip_right,
                        .single_word = rule.single_word});
    }
    return tokens;
  }

  /// The model for the library: without the tokens that it must not find.
  static SentencePieceModel library_model(SentencePieceModel model) {
    const std::vector<bool> is_first = is_found_first(model);
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      if (is_first[i] && model.pieces[i].type == TokenType::user_defined) model.pieces[i].type = TokenType::unused;
    }
    return model;
  }

  AddedTokens added_;
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
  std::shared_ptr<const SentencePieceModel> model_;
  std::optional<std::int32_t> unknown_;
};

namespace detail {

/// The steps of the normalizer that Hugging Face derives from a SentencePiece model, each with a comma after it.
inline std::string sentencepiece_normalizer_steps(const SentencePieceModel& model) {
  std::string out;
  if (!model.charsmap.empty()) {
    out += R"({"type": "Precompiled", "precompiled_charsmap": ")" + to_base64(model.charsmap) + "\"}, ";
  }
  if (model.remove_extra_whitespaces) {
    // Without rules, other white space stays. SentencePiece strips the end after writing spaces.
    out += model.charsmap.empty() ? R"({"type": "Replace", "pattern": {"Regex": "\\A +|[ )" +
                                        std::string(written_space) + R"(]+\\z"}, "content": ""}, )"
                                  : R"({"type": "Strip", "strip_left": true, "strip_right": true}, )";
    out += R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, )";
  }
  return out;
}

/// The pieces of a unigram model that go into a tokenizer.json: all but unused ones at the end, such as the names of
/// rows that pad a model. Throws InvalidArgument for any other unused piece, which Hugging Face would find in a text,
/// and if no piece remains that can occur in a text.
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

/// The lowest score of a normal piece.
inline float least_normal_score(std::span<const SentencePiece> pieces) {
  float least = std::numeric_limits<float>::max();
  for (const SentencePiece& piece : pieces) {
    if (piece.type == TokenType::normal) least = std::min(least, piece.score);
  }
  return least;
}

}  // namespace detail

/// Text of a `tokenizer.json` from which Hugging Face builds a similar tokenizer. Its normalisation works on grapheme
/// clusters, the library's on code points; it adds scores as doubles, the library as floats, so of two segmentations
/// whose scores differ by a rounding error it may take the other. Texts where that matters are rare. Throws
/// InvalidArgument for what it cannot express: whitespace_as_suffix, and an unused piece of a unigram model that is
/// followed by other pieces or is the only one.
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
  const auto user_defined = std::find_if(model.pieces.begin(), model.pieces.end(), [](const SentencePiece& piece) {
    return piece.type == TokenType::user_defined;
  });
  if (model.found_first.empty() && user_defined != model.pieces.end()) {
    throw InvalidArgument(
        "tokenizer.json: expected a unigram model without pieces of the type user-defined, which SentencePiece finds "
        "differently from tokenizers, found " +
        detail::quoted_token(user_defined->text));
  }
  std::string out = detail::tokenizer_json_begin(tokenizer);
  out += R"({"type": "Sequence", "normalizers": [)" + steps + replace;
  if (model.charsmap.empty() && model.add_dummy_prefix) {
    // Unlike SentencePiece, a Metaspace adds no space if there is one already.
    out += R"(, {"type": "Replace", "pattern": {"Regex": "\\A)" + std::string(written_space) + R"("}, "content": ")" +
           std::string(written_space) + std::string(written_space) + "\"}";
  }
  out += "]}";
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
  const auto used = detail::used_pieces(model);
  const float least = detail::least_normal_score(used);
  // Pieces that other files add come last.
  for (const SentencePiece& piece : used.first(used.size() - std::min(used.size(), model.only_added.size()))) {
    char score[32];
    // A character without a piece scores 10 less than the lowest score: among normal pieces in SentencePiece, among all
    // pieces in tokenizers.
    const double written = std::max(piece.score, least);
    const auto end = std::to_chars(std::begin(score), std::end(score), written).ptr;
    out.append(separator).append("[");
    detail::append_json_string(out, piece.text);
    out.append(", ").append(std::begin(score), end).append("]");
    separator = ",\n";
  }
  return out + "\n    ]\n  }\n}\n";
}

/// Sets the keys of a GGUF file from which load_tokenizer() and llama.cpp rebuild this tokenizer, as model "t5". Like
/// the functions of this name in to_gguf.hpp; the keys describe everything. Throws InvalidArgument for what llama.cpp
/// lacks: byte fallback in a unigram model, spaces that end words, and normalisation in a byte-pair model.
inline bool set_tokenizer_metadata(GgufWriter& writer, const SentencePieceTokenizer& tokenizer,
                                   std::size_t vocabulary) {
  const SentencePieceModel& model = tokenizer.model();
  const bool is_whole = model.only_added.empty() && model.found_first.empty() && model.added_token_rules.empty();
  if (!is_whole && model.charsmap.empty()) {
    throw InvalidArgument(
        "sentencepiece added tokens: expected none besides those of a unigram model without rules, as in GGUF's "
        "\"t5\"");
  }
  detail::set_gguf_unigram(writer, model, vocabulary);
  detail::set_gguf_special_tokens(writer, tokenizer);
  return is_whole;
}

/// A tokenizer for any SentencePiece model: the SentencePieceMaker for load_tokenizer().
inline AnyTokenizer sentencepiece_tokenizer(SentencePieceModel model, std::vector<TokenizerFile> files) {
  return AnyTokenizer(SentencePieceTokenizer(std::move(model)), std::move(files));
}

}  // namespace zeroth::ZEROTH_ISA::model
