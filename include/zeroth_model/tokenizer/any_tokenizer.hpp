// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/tokenizer/hugging_face.hpp>
#include <zeroth_model/tokenizer/to_gguf.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A file of a Hugging Face folder.
struct TokenizerFile {
  std::string name;  ///< "tokenizer.json"
  std::string text;
};

/// A tokenizer whose kind is determined at run time. Immutable and safe to use from several threads; copies share it.
class AnyTokenizer {
 public:
  /// @param tokenizer a BytePairTokenizer, or a class with the same functions and overloads of
  ///   hugging_face_tokenizer_json() and set_tokenizer_metadata()
  /// @param files the files it was read from, to be carried over unchanged; none: they can be rewritten
  /// @param json_is_whole whether tokenizer.json, if among them, describes the tokenizer without the others
  template <class Tokenizer>
  requires(!std::is_same_v<Tokenizer, AnyTokenizer>)
      AnyTokenizer(Tokenizer tokenizer, std::vector<TokenizerFile> files = {}, bool json_is_whole = true)
      : tokenizer_(std::make_shared<Holder<Tokenizer>>(std::move(tokenizer))),
        files_(std::make_shared<std::vector<TokenizerFile>>(std::move(files))),
        json_is_whole_(json_is_whole) {}

  /// The ids of `text`, without added special tokens; text that looks like a control token is ordinary text.
  std::vector<std::int32_t> encode(std::string_view text) const { return tokenizer_->encode(text); }

  /// The bytes of `ids`: not UTF-8 if they begin or end inside a character. Without the space, if any, that encode()
  /// puts before a text. Throws InvalidArgument for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const { return tokenizer_->decode(ids); }

  /// The bytes of one token, so that a text can be written token by token. Throws InvalidArgument for an id outside the
  /// vocabulary.
  std::string token_bytes(std::int32_t id) const { return tokenizer_->token_bytes(id); }

  /// The text of a token as in the vocabulary. Throws InvalidArgument for an id outside the vocabulary.
  std::string_view token_text(std::int32_t id) const { return tokenizer_->token_text(id); }

  /// Throws InvalidArgument for an id outside the vocabulary.
  TokenType token_type(std::int32_t id) const { return tokenizer_->token_type(id); }

  std::size_t vocabulary_size() const { return tokenizer_->vocabulary_size(); }

  std::optional<std::int32_t> bos() const { return tokenizer_->bos(); }
  std::optional<std::int32_t> eos() const { return tokenizer_->eos(); }
  std::optional<std::int32_t> unknown() const { return tokenizer_->unknown(); }
  std::optional<std::int32_t> padding() const { return tokenizer_->padding(); }

  /// Whether the model expects bos() before each text.
  bool add_bos() const { return tokenizer_->add_bos(); }

  /// Whether the model expects eos() after each text.
  bool add_eos() const { return tokenizer_->add_eos(); }

  /// The tokenizer if it is a `Tokenizer`, otherwise null.
  template <class Tokenizer>
  const Tokenizer* get_if() const noexcept {
    const auto* const holder = dynamic_cast<const Holder<Tokenizer>*>(tokenizer_.get());
    return holder == nullptr ? nullptr : &holder->tokenizer;
  }

  /// The files of a Hugging Face folder for this tokenizer: those it was read from, verbatim, or a new tokenizer.json
  /// and tokenizer_config.json with `model_max_length` (in tokens, omitted if 0) and `chat_template`.
  std::vector<TokenizerFile> hugging_face_files(std::uint64_t model_max_length,
                                                std::optional<std::string_view> chat_template = std::nullopt) const {
    if (!files_->empty()) return *files_;
    return {{"tokenizer.json", tokenizer_->tokenizer_json()},
            {"tokenizer_config.json", tokenizer_->tokenizer_config_json(model_max_length, chat_template)}};
  }

  /// Sets the keys of a GGUF file from which load_tokenizer() rebuilds this tokenizer, to the id, and from which
  /// llama.cpp builds one with the same ids on plain text. If GGUF lacks a key for something, the whole text of
  /// tokenizer.json is stored as `tokenizer.huggingface.json`: load_tokenizer() prefers that, llama.cpp ignores it.
  ///
  /// @param vocabulary tokens for which the model has a row
  /// @throws InvalidArgument, naming the field, for a tokenizer that llama.cpp could not follow
  void set_gguf_metadata(GgufWriter& writer, std::size_t vocabulary,
                         std::optional<std::string_view> chat_template = std::nullopt) const {
    if (!tokenizer_->set_gguf_metadata(writer, vocabulary)) {
      const auto verbatim = std::find_if(files_->begin(), files_->end(), [&](const TokenizerFile& file) {
        return json_is_whole_ && file.name == "tokenizer.json";
      });
      writer.set("tokenizer.huggingface.json",
                 verbatim == files_->end() ? tokenizer_->tokenizer_json() : verbatim->text);
    }
    if (chat_template) writer.set("tokenizer.chat_template", *chat_template);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
    virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
    virtual std::string token_bytes(std::int32_t id) const = 0;
    virtual std::string_view token_text(std::int32_t id) const = 0;
    virtual TokenType token_type(std::int32_t id) const = 0;
    virtual std::size_t vocabulary_size() const = 0;
    virtual std::optional<std::int32_t> bos() const = 0;
    virtual std::optional<std::int32_t> eos() const = 0;
    virtual std::optional<std::int32_t> unknown() const = 0;
    virtual std::optional<std::int32_t> padding() const = 0;
    virtual bool add_bos() const = 0;
    virtual bool add_eos() const = 0;
    virtual bool set_gguf_metadata(GgufWriter& writer, std::size_t vocabulary) const = 0;
    virtual std::string tokenizer_json() const = 0;
    virtual std::string tokenizer_config_json(std::uint64_t model_max_length,
                                              std::optional<std::string_view> chat_template) const = 0;
  };

  template <class Tokenizer>
  struct Holder final : Base {
    explicit Holder(Tokenizer held) : tokenizer(std::move(held)) {}
    std::vector<std::int32_t> encode(std::string_view text) const override { return tokenizer.encode(text); }
    std::string decode(std::span<const std::int32_t> ids) const override { return tokenizer.decode(ids); }
    std::string token_bytes(std::int32_t id) const override { return tokenizer.token_bytes(id); }
    std::string_view token_text(std::int32_t id) const override { return tokenizer.token_text(id); }
    TokenType token_type(std::int32_t id) const override { return tokenizer.token_type(id); }
    std::size_t vocabulary_size() const override { return tokenizer.vocabulary_size(); }
    std::optional<std::int32_t> bos() const override { return tokenizer.bos(); }
    std::optional<std::int32_t> eos() const override { return tokenizer.eos(); }
    std::optional<std::int32_t> unknown() const override { return tokenizer.unknown(); }
    std::optional<std::int32_t> padding() const override { return tokenizer.padding(); }
    bool add_bos() const override { return tokenizer.add_bos(); }
    bool add_eos() const override { return tokenizer.add_eos(); }
    bool set_gguf_metadata(GgufWriter& writer, std::size_t vocabulary) const override {
      return set_tokenizer_metadata(writer, tokenizer, vocabulary);
    }
    std::string tokenizer_json() const override { return hugging_face_tokenizer_json(tokenizer); }
    std::string tokenizer_config_json(std::uint64_t model_max_length,
                                      std::optional<std::string_view> chat_template) const override {
      return hugging_face_tokenizer_config_json(tokenizer, model_max_length, chat_template);
    }
    Tokenizer tokenizer;
  };

  std::shared_ptr<const Base> tokenizer_;
  std::shared_ptr<const std::vector<TokenizerFile>> files_;
  bool json_is_whole_;
};

}  // namespace zeroth::ZEROTH_ISA::model
