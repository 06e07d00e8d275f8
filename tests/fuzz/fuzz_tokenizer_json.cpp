// SPDX-License-Identifier: MIT
// tokenizer.json: an accepted one must encode, decode and export.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth_model/tokenizer/from_hugging_face.hpp>
#include <zeroth_model/tokenizer/pre_tokenizer.hpp>

#include "fuzz_target.hpp"
#include "tokenizer_checks.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    check_tokenizer(detail::make_hugging_face_tokenizer(parse_tokenizer_json(text_of(input), "tokenizer.json"), {},
                                                        sentencepiece_maker(), "tokenizer.json"));
  });
}

std::vector<std::string> seeds() {
  const std::string added = R"("added_tokens": [{"id": 0, "content": "<s>", "special": true},
    {"id": 9, "content": "user", "special": false, "lstrip": true, "rstrip": false, "normalized": true}], )";
  const std::string before_text = R"("post_processor": {"type": "TemplateProcessing", "single":
    [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}, )";
  const std::string byte_level_vocabulary = R"("model": {"type": "BPE", "unk_token": null, "ignore_merges": false,
    "vocab": {"<s>": 0, "a": 1, "b": 2, "c": 3, "\u0120": 4, "ab": 5, "\u0120ab": 6, "4": 7, "2": 8}, )";
  const auto byte_level = [&](const std::string& normalizer, const std::string& pre_tokenizer) {
    return "{" + added + "\"normalizer\": " + normalizer + ", \"pre_tokenizer\": " + pre_tokenizer + ", " +
           before_text + byte_level_vocabulary + R"("merges": ["a b", ["\u0120", "ab"]]}})";
  };
  const std::string gpt2 = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
  const auto split = [](std::string_view pattern) {
    return R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": )" +
           nlohmann::json(pattern).dump() +
           R"(}, "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})";
  };
  const auto written_spaces = [&](const std::string& normalizer, const std::string& pre_tokenizer,
                                  const std::string& model) {
    return "{" + added + "\"normalizer\": " + normalizer + ", \"pre_tokenizer\": " + pre_tokenizer + ", " +
           before_text + "\"model\": " + model + "}";
  };
  const std::string characters = R"({"type": "BPE", "unk_token": "<s>", "fuse_unk": true, "byte_fallback": false,
    "vocab": {"<s>": 0, "a": 1, "b": 2, "c": 3, "\u2581": 4, "ab": 5, "\u2581ab": 6, "4": 7, "2": 8},
    "merges": ["a b", "\u2581 ab"]})";
  const std::string unigram = R"({"type": "Unigram", "unk_id": 1, "byte_fallback": false, "vocab": [["<s>", 0],
    ["<unk>", 0], ["\u2581", -4], ["a", -3.5], ["b", -5], ["ab", -1], ["\u2581ab", -2], ["4", -7], ["2", -8],
    ["user", 0]]})";
  return {
      byte_level("null", gpt2),
      byte_level("null", R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, )" +
                             gpt2 + "]}"),
      byte_level("null", split(zeroth::model::llama3_pattern)),
      byte_level(R"({"type": "NFC"})", split(zeroth::model::qwen2_pattern)),
      written_spaces(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]})",
                     "null", characters),
      written_spaces("null",
                     R"({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": true})",
                     characters),
      written_spaces(R"({"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": ""},
        {"type": "Strip", "strip_left": true}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]})",
                     R"({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true})",
                     unigram),
  };
}

}  // namespace zeroth_fuzz
