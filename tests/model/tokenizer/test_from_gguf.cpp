// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"
#include "zeroth_model/tokenizer/from_gguf.hpp"

namespace {

using zeroth::model::GgufFile;
using zeroth::model::GgufWriter;
using zeroth_test::contains_text;

using Ids = std::vector<std::int32_t>;
using Texts = std::vector<std::string_view>;

/// A GGUF file without tensors that holds a tokenizer, changed by `change(GgufWriter&)` before it is written.
template <class Change>
GgufFile gguf_with_tokenizer(const zeroth_test::TemporaryDirectory& folder, const Change& change) {
  const std::string path = (folder / "tokenizer.gguf").string();
  GgufWriter writer(path);
  writer.set("tokenizer.ggml.model", std::string_view("gpt2"));
  writer.set("tokenizer.ggml.pre", std::string_view("smollm"));
  writer.set_array<std::string_view>("tokenizer.ggml.tokens", Texts{"<s>", "</s>", "a", "b", "ab", "1", "11"});
  writer.set_array<std::int32_t>("tokenizer.ggml.token_type", Ids{3, 3, 1, 1, 1, 1, 1});
  writer.set_array<std::string_view>("tokenizer.ggml.merges", Texts{"a b", "1 1"});
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{0});
  writer.set("tokenizer.ggml.eos_token_id", std::uint32_t{1});
  writer.set("tokenizer.ggml.add_bos_token", true);
  change(writer);
  writer.commit();
  return GgufFile(path);
}

/// The message of tokenizer_from_gguf() for that file.
template <class Change>
std::string refusal(const Change& change) {
  const zeroth_test::TemporaryDirectory folder;
  const GgufFile file = gguf_with_tokenizer(folder, change);
  try {
    zeroth::model::tokenizer_from_gguf(file);
  } catch (const zeroth::InvalidFile& error) {
    CHECK_THAT(error.what(), contains_text(file.path() + ": "));
    return error.what();
  }
  return "accepted";
}

TEST_CASE("tokenizer from GGUF reads every key") {
  const zeroth_test::TemporaryDirectory folder;
  const GgufFile file = gguf_with_tokenizer(folder, [](GgufWriter&) {});
  const auto tokenizer = zeroth::model::tokenizer_from_gguf(file);
  CHECK(tokenizer.encode("ab11") == Ids{4, 5, 5});
  CHECK(tokenizer.bos() == 0);
  CHECK(tokenizer.eos() == 1);
  CHECK(tokenizer.add_bos());
  CHECK_FALSE(tokenizer.padding());
  CHECK(tokenizer.token_type(0) == zeroth::model::TokenType::control);
  CHECK_FALSE(zeroth::model::chat_template_from_gguf(file));
}

TEST_CASE("tokenizer from GGUF does with what the file has") {
  const zeroth_test::TemporaryDirectory folder;
  const GgufFile file = gguf_with_tokenizer(folder, [](GgufWriter& writer) {
    writer.set("tokenizer.chat_template", std::string_view("{{ messages }}"));
    writer.set("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
    writer.set("tokenizer.ggml.padding_token_id", std::uint32_t{1});
    for (const char* key : {"token_type", "add_bos_token", "bos_token_id"}) {
      writer.erase(std::string("tokenizer.ggml.") + key);
    }
  });
  CHECK(zeroth::model::chat_template_from_gguf(file) == "{{ messages }}");
  const auto tokenizer = zeroth::model::tokenizer_from_gguf(file);
  CHECK(tokenizer.unknown() == 0);
  CHECK(tokenizer.padding() == 1);
  CHECK_FALSE(tokenizer.bos());
  CHECK_FALSE(tokenizer.add_bos());
  CHECK(tokenizer.token_type(0) == zeroth::model::TokenType::normal);
}

TEST_CASE("tokenizer from GGUF takes from the pre-tokenizer what the format has no key for") {
  const zeroth_test::TemporaryDirectory folder;
  const auto with_pre = [&](std::string_view name, bool says_bos) {
    return zeroth::model::tokenizer_from_gguf(gguf_with_tokenizer(folder, [&](GgufWriter& writer) {
      writer.set("tokenizer.ggml.pre", name);
      writer.erase("tokenizer.ggml.add_bos_token");
      if (says_bos) writer.set("tokenizer.ggml.add_bos_token", false);
    }));
  };
  CHECK(with_pre("llama-bpe", false).add_bos());
  CHECK_FALSE(with_pre("llama-bpe", true).add_bos());
  CHECK(with_pre("llama-bpe", true).ignore_merges());
  CHECK_FALSE(with_pre("smaug-bpe", false).add_bos());
  CHECK_FALSE(with_pre("smaug-bpe", false).ignore_merges());
  CHECK(with_pre("smaug-bpe", false).pre_tokenizer() == zeroth::model::PreTokenizer::llama3);
  CHECK_FALSE(with_pre("qwen2", false).add_bos());
  CHECK_FALSE(with_pre("qwen2", false).ignore_merges());
  CHECK(with_pre("qwen2", false).normalization() == zeroth::model::Normalization::nfc);
  CHECK(with_pre("llama-bpe", false).normalization() == zeroth::model::Normalization::none);
}

TEST_CASE("tokenizer from GGUF rejects what it cannot follow, naming file and key") {
  const auto with_text = [](const char* key, std::string_view value) {
    return refusal([&](GgufWriter& writer) { writer.set(key, value); });
  };
  CHECK_THAT(with_text("tokenizer.ggml.model", "llama"),
             contains_text("'tokenizer.ggml.model': expected \"gpt2\", found \"llama\""));
  CHECK_THAT(with_text("tokenizer.ggml.pre", "default"), contains_text("'tokenizer.ggml.pre': "));
  CHECK_THAT(with_text("tokenizer.ggml.pre", "default"),
             contains_text("expected one of \"gpt-2\", \"smollm\", \"llama-bpe\""));
  CHECK_THAT(with_text("tokenizer.ggml.tokens", "a"), contains_text("'tokenizer.ggml.tokens': "));
  for (const std::string key : {"model", "pre", "tokens", "merges"}) {
    CHECK_THAT(refusal([&](GgufWriter& writer) { writer.erase("tokenizer.ggml." + key); }),
               contains_text("'tokenizer.ggml." + key + "': expected"));
  }
  CHECK_THAT(
      refusal([](GgufWriter& writer) { writer.set_array<std::string_view>("tokenizer.ggml.merges", Texts{"a 1"}); }),
      contains_text("merges[0]: expected the token \"a1\" in the vocabulary, found \"a 1\""));
  CHECK_THAT(refusal([](GgufWriter& writer) { writer.set("tokenizer.ggml.eos_token_id", std::uint32_t{7}); }),
             contains_text("eos: expected 0 to 6, found 7"));
  CHECK_THAT(refusal([](GgufWriter& writer) { writer.set("tokenizer.ggml.add_space_prefix", true); }),
             contains_text("'tokenizer.ggml.add_space_prefix': expected false, found true"));
}

}  // namespace
