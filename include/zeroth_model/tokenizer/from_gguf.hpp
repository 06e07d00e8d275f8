// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// The control and user-defined tokens at the end of a vocabulary, in order of id. LLaMA-3's tokenizer.json has all of
/// them there, and outside the model's own vocabulary, which GGUF does not describe.
inline std::vector<std::int32_t> last_literals(std::span<const std::int32_t> types) {
  const auto is_literal = [](std::int32_t type) {
    return type == static_cast<std::int32_t>(TokenType::control) ||
           type == static_cast<std::int32_t>(TokenType::user_defined);
  };
  std::size_t first = types.size();
  while (first > 0 && is_literal(types[first - 1])) --first;
  std::vector<std::int32_t> ids;
  for (std::size_t i = first; i < types.size(); ++i) ids.push_back(static_cast<std::int32_t>(i));
  return ids;
}

}  // namespace detail

/// The tokenizer of a GGUF file, from its keys `tokenizer.ggml.model` (must be "gpt2"), `.pre`, `.tokens`,
/// `.token_type`, `.merges`, `.bos_token_id`, `.eos_token_id`, `.unknown_token_id`, `.padding_token_id`,
/// `.add_bos_token` and `.add_eos_token`.
///
/// Properties for which the format has no key follow from the pre-tokenizer, as in the published tokenizers: in LLaMA-3
/// a word that is a token needs no merges, and bos goes before a text unless the file says otherwise; Qwen2 normalises
/// texts to NFC.
///
/// Throws InvalidFile, naming the file, the key, what was expected and what was found.
inline BytePairTokenizer tokenizer_from_gguf(const GgufFile& file) {
  const auto fail = [&](const std::string& what) { throw InvalidFile(file.path() + ": " + what); };
  if (const auto model = file.get<std::string_view>("tokenizer.ggml.model"); model != "gpt2") {
    fail("metadata key 'tokenizer.ggml.model': expected \"gpt2\", found \"" + detail::printable(model) + "\"");
  }
  if (file.find<bool>("tokenizer.ggml.add_space_prefix").value_or(false)) {
    fail("metadata key 'tokenizer.ggml.add_space_prefix': expected false, found true");
  }
  TokenizerData data;
  data.tokens = file.get_array<std::string_view>("tokenizer.ggml.tokens");
  data.token_types = file.find_array<std::int32_t>("tokenizer.ggml.token_type").value_or(std::vector<std::int32_t>{});
  data.merges = file.get_array<std::string_view>("tokenizer.ggml.merges");
  data.pre_tokenizer = file.get<std::string_view>("tokenizer.ggml.pre");
  GgufPreTokenizer pre_tokenizer{};
  try {
    pre_tokenizer = find_gguf_pre_tokenizer(data.pre_tokenizer);
  } catch (const InvalidArgument& error) {
    fail(std::string("metadata key 'tokenizer.ggml.pre': ") + error.what());
  }
  data.bos = file.find<std::int32_t>("tokenizer.ggml.bos_token_id");
  data.eos = file.find<std::int32_t>("tokenizer.ggml.eos_token_id");
  data.unknown = file.find<std::int32_t>("tokenizer.ggml.unknown_token_id");
  data.padding = file.find<std::int32_t>("tokenizer.ggml.padding_token_id");
  if (pre_tokenizer.nfc) data.normalization = Normalization::nfc;
  data.ignore_merges = pre_tokenizer.ignore_merges;
  if (pre_tokenizer.words == PreTokenizer::llama3) data.only_added = detail::last_literals(data.token_types);
  data.add_bos = file.find<bool>("tokenizer.ggml.add_bos_token").value_or(pre_tokenizer.adds_bos && data.bos);
  data.add_eos = file.find<bool>("tokenizer.ggml.add_eos_token").value_or(false);
  try {
    return BytePairTokenizer(data);
  } catch (const InvalidArgument& error) {
    throw InvalidFile(file.path() + ": metadata keys 'tokenizer.ggml.*': " + error.what());
  }
}

/// The Jinja template of a chat, if the file has one, for hugging_face_tokenizer_config_json(). A view of the file's
/// mapping. Throws InvalidFile if it is not UTF-8, which JSON cannot hold.
inline std::optional<std::string_view> chat_template_from_gguf(const GgufFile& file) {
  const auto text = file.find<std::string_view>("tokenizer.chat_template");
  if (text && !is_utf8(*text)) {
    throw InvalidFile(file.path() + ": metadata key 'tokenizer.chat_template': expected UTF-8, found other bytes");
  }
  return text;
}

}  // namespace zeroth::ZEROTH_ISA::model
