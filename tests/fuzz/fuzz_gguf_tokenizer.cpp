// SPDX-License-Identifier: MIT
// The tokenizer of a GGUF file: an accepted one must encode, decode and export.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/tokenizer/load_tokenizer.hpp>

#include "fuzz_target.hpp"
#include "gguf_bytes.hpp"
#include "tokenizer_checks.hpp"

namespace zeroth_fuzz {

using zeroth_test::GgufBytes;

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    const GgufFile file(MappedFile::in_memory("input.gguf", input));
    const AnyTokenizer tokenizer = load_tokenizer(file, sentencepiece_maker());
    check_tokenizer(tokenizer);
    if (const auto chat_template = chat_template_from_gguf(file)) {
      const auto files = tokenizer.hugging_face_files(64, chat_template);
      require(nlohmann::json::accept(files.back().text), "with the template its configuration is not JSON");
    }
  });
}

std::vector<std::string> seeds() {
  using namespace zeroth_test::gguf_types;
  const auto byte_level = [](std::string_view pre_tokenizer, bool add_bos) {
    GgufBytes bytes;
    bytes.header(0, 8).string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", pre_tokenizer);
    // U+0120 is the space in GPT-2's alphabet.
    bytes.strings("tokenizer.ggml.tokens", {"<s>", "a", "b", "c", "\xc4\xa0", "ab",
                                            "\xc4\xa0"
                                            "ab",
                                            "4", "user"});
    bytes.integers("tokenizer.ggml.token_type", {3, 1, 1, 1, 1, 1, 1, 1, 4});
    bytes.strings("tokenizer.ggml.merges", {"a b", "\xc4\xa0 ab"});
    bytes.scalar("tokenizer.ggml.bos_token_id", t_uint32, 0u);
    bytes.scalar("tokenizer.ggml.add_bos_token", t_bool, std::uint8_t{add_bos});
    return bytes.string("tokenizer.chat_template", "{{ x }}").data();
  };
  const auto with_json = [] {
    GgufBytes bytes;
    bytes.header(0, 5).string("tokenizer.ggml.model", "llama");
    bytes.strings("tokenizer.ggml.tokens", {"<unk>", "a", "b", "ab"});
    bytes.scalar("tokenizer.ggml.bos_token_id", t_uint32, 1u).scalar("tokenizer.ggml.unknown_token_id", t_uint32, 0u);
    return bytes
        .string("tokenizer.huggingface.json",
                R"({"added_tokens":[],"pre_tokenizer":{"type":"Metaspace","replacement":"\u2581",)"
                R"("prepend_scheme":"first","split":false},"model":{"type":"BPE","unk_token":"<unk>",)"
                R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3},"merges":["a b"]}})")
        .data();
  };
  const auto sentencepiece = [](std::string_view kind, bool prefix) {
    GgufBytes bytes;
    bytes.header(0, 9).string("tokenizer.ggml.model", kind);
    bytes.strings("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "b", "ab",
                                            "\xe2\x96\x81"
                                            "ab",
                                            "user"});
    bytes.floats("tokenizer.ggml.scores", {0, 0, 0, -4, -3, -5, -1, -2, 0});
    bytes.integers("tokenizer.ggml.token_type", {2, 3, 3, 1, 1, 1, 1, 1, 4});
    bytes.scalar("tokenizer.ggml.bos_token_id", t_uint32, 1u).scalar("tokenizer.ggml.eos_token_id", t_uint32, 2u);
    bytes.scalar("tokenizer.ggml.add_eos_token", t_bool, std::uint8_t{1});
    bytes.scalar("tokenizer.ggml.add_space_prefix", t_bool, std::uint8_t{prefix});
    return bytes.scalar("tokenizer.ggml.remove_extra_whitespaces", t_bool, std::uint8_t{!prefix}).data();
  };
  return {byte_level("smollm", false),
          byte_level("gpt-2", true),
          byte_level("llama-bpe", true),
          byte_level("qwen2", false),
          sentencepiece("llama", true),
          sentencepiece("t5", false),
          with_json()};
}

}  // namespace zeroth_fuzz
