// SPDX-License-Identifier: MIT
// The tokenizer of a GGUF file: what is accepted must encode, decode and export.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/tokenizer/from_gguf.hpp>
#include <zeroth/model/tokenizer/hugging_face.hpp>

#include "fuzz_target.hpp"
#include "gguf_bytes.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    const GgufFile file(MappedFile::in_memory("input.gguf", input));
    const BytePairTokenizer tokenizer = tokenizer_from_gguf(file);
    std::vector<std::int32_t> all;
    for (std::size_t id = 0; id < tokenizer.vocabulary_size(); ++id) all.push_back(static_cast<std::int32_t>(id));
    // Every token, then words, digits, spaces and bytes that are no characters.
    const std::string text = tokenizer.decode(all) + "It's 42  abab\n\tc\xc3\xa9 \xe2\x82\xff";
    for (const std::int32_t id : tokenizer.encode(text)) {
      require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocabulary_size(), "an id is not in the vocabulary");
    }
    const auto chat_template = chat_template_from_gguf(file);
    require(nlohmann::json::accept(hugging_face_tokenizer_json(tokenizer)), "tokenizer.json is not JSON");
    require(nlohmann::json::accept(hugging_face_tokenizer_config_json(tokenizer, 64)), "its configuration is not JSON");
    if (chat_template) {
      require(nlohmann::json::accept(hugging_face_tokenizer_config_json(tokenizer, 64, chat_template)),
              "with the template its configuration is not JSON");
    }
  });
}

std::vector<std::string> seeds() {
  const auto file = [](std::string_view pre_tokenizer, bool add_bos) {
    using zeroth::model::GgufType;
    GgufBytes bytes(0, 8);
    bytes.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", pre_tokenizer);
    // U+0120 is the space in GPT-2's alphabet.
    bytes.strings("tokenizer.ggml.tokens", {"<s>", "a", "b", "c", "\xc4\xa0", "ab",
                                            "\xc4\xa0"
                                            "ab",
                                            "4", "user"});
    bytes.integers("tokenizer.ggml.token_type", {3, 1, 1, 1, 1, 1, 1, 1, 4});
    bytes.strings("tokenizer.ggml.merges", {"a b", "\xc4\xa0 ab"});
    bytes.scalar("tokenizer.ggml.bos_token_id", GgufType::uint32, 0u);
    bytes.scalar("tokenizer.ggml.add_bos_token", GgufType::boolean, std::uint8_t{add_bos});
    bytes.string("tokenizer.chat_template", "{{ x }}");
    return bytes.data();
  };
  return {file("smollm", false), file("gpt-2", true)};
}

}  // namespace zeroth_fuzz
