// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "zeroth_model/tokenizer/byte_pair_tokenizer.hpp"
#include "zeroth_model/tokenizer/hugging_face.hpp"

namespace {

using nlohmann::json;
using zeroth::model::BytePairTokenizer;
using zeroth::model::hugging_face_tokenizer_config_json;
using zeroth::model::hugging_face_tokenizer_json;
using zeroth::model::TokenizerData;

TokenizerData small_data() {
  TokenizerData data;
  data.tokens = {"<s>", "{\"u\"}", "\xC4\xA0", "\"", "\\", "\xC4\xA0\"", "\"\\"};
  data.token_types = {3, 4, 1, 1, 1, 1, 1};
  data.merges = {"\xC4\xA0 \"", "\" \\"};
  data.pre_tokenizer = "smollm";
  data.bos = 0;
  return data;
}

TEST_CASE("hugging face tokenizer.json holds the vocabulary and the merges") {
  const json tokenizer = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(small_data())));
  const json& model = tokenizer.at("model");
  CHECK(model.at("type") == "BPE");
  CHECK(model.at("unk_token").is_null());
  CHECK(model.at("vocab") ==
        json{{"<s>", 0}, {"{\"u\"}", 1}, {"\xC4\xA0", 2}, {"\"", 3}, {"\\", 4}, {"\xC4\xA0\"", 5}, {"\"\\", 6}});
  CHECK(model.at("merges") == json{"\xC4\xA0 \"", "\" \\"});
  CHECK(tokenizer.at("normalizer").is_null());
  CHECK(tokenizer.at("post_processor").is_null());
  CHECK(tokenizer.at("decoder").at("type") == "ByteLevel");
}

TEST_CASE("hugging face tokenizer.json adds control tokens as special, user-defined ones as not") {
  const json tokenizer = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(small_data())));
  const json& added = tokenizer.at("added_tokens");
  REQUIRE(added.size() == 2);
  CHECK(added[0].at("content") == "<s>");
  CHECK(added[0].at("id") == 0);
  CHECK(added[0].at("special") == true);
  CHECK(added[1].at("content") == "{\"u\"}");
  CHECK(added[1].at("id") == 1);
  CHECK(added[1].at("special") == false);
}

TEST_CASE("hugging face tokenizer.json names the pre-tokenizer's steps") {
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  TokenizerData data = small_data();
  const json smollm = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data))).at("pre_tokenizer");
  CHECK(smollm.at("type") == "Sequence");
  REQUIRE(smollm.at("pretokenizers").size() == 2);
  CHECK(smollm.at("pretokenizers")[0] == json{{"type", "Digits"}, {"individual_digits", true}});
  CHECK(smollm.at("pretokenizers")[1] == byte_level);
  data.pre_tokenizer = "gpt-2";
  CHECK(json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data))).at("pre_tokenizer") == byte_level);
  data.pre_tokenizer = "llama-bpe";
  const json llama3 = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data))).at("pre_tokenizer");
  REQUIRE(llama3.at("pretokenizers").size() == 2);
  CHECK(llama3.at("pretokenizers")[0].at("pattern") == json{{"Regex", zeroth::model::llama3_pattern}});
  CHECK(llama3.at("pretokenizers")[0].at("behavior") == "Isolated");
  CHECK(llama3.at("pretokenizers")[1].at("use_regex") == false);
  data.pre_tokenizer = "qwen2";
  data.normalization = zeroth::model::Normalization::nfc;
  data.ignore_merges = true;
  const json qwen2 = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data)));
  CHECK(qwen2.at("pre_tokenizer").at("pretokenizers")[0].at("pattern") ==
        json{{"Regex", zeroth::model::qwen2_pattern}});
  CHECK(qwen2.at("normalizer") == json{{"type", "NFC"}});
  CHECK(qwen2.at("model").at("ignore_merges") == true);
}

TEST_CASE("hugging face tokenizer.json writes eos after a text and the rules of added tokens") {
  TokenizerData data = small_data();
  data.eos = 1;
  data.add_eos = true;
  data.added_token_rules = {{.id = 1, .strip_right = true, .normalized = true}};
  const json tokenizer = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data)));
  const json& processor = tokenizer.at("post_processor");
  REQUIRE(processor.at("single").size() == 2);
  CHECK(processor.at("single")[1].at("SpecialToken").at("id") == "{\"u\"}");
  CHECK(processor.at("special_tokens").at("{\"u\"}").at("ids") == json::array({1}));
  CHECK(tokenizer.at("added_tokens")[1].at("rstrip") == true);
  CHECK(tokenizer.at("added_tokens")[1].at("lstrip") == false);
  CHECK(tokenizer.at("added_tokens")[1].at("normalized") == true);
}

TEST_CASE("hugging face tokenizer.json puts bos before a text where the model wants it") {
  TokenizerData data = small_data();
  data.add_bos = true;
  const json processor = json::parse(hugging_face_tokenizer_json(BytePairTokenizer(data))).at("post_processor");
  CHECK(processor.at("type") == "TemplateProcessing");
  CHECK(processor.at("single")[0].at("SpecialToken").at("id") == "<s>");
  CHECK(processor.at("single")[1].at("Sequence").at("id") == "A");
  CHECK(processor.at("pair").size() == 4);
  CHECK(processor.at("special_tokens").at("<s>").at("ids") == json::array({0}));
}

TEST_CASE("hugging face tokenizer_config.json names the special tokens and escapes the template") {
  TokenizerData data = small_data();
  const std::string chat = "{% for m in messages %}\n\t\"\\\x01{{ m }}{% endfor %}";
  json config = json::parse(hugging_face_tokenizer_config_json(BytePairTokenizer(data), 2048, chat));
  CHECK(config.at("tokenizer_class") == "PreTrainedTokenizerFast");
  CHECK(config.at("bos_token") == "<s>");
  CHECK_FALSE(config.contains("eos_token"));
  CHECK(config.at("model_max_length") == 2048);
  CHECK(config.at("chat_template") == chat);
  CHECK(config.at("clean_up_tokenization_spaces") == false);

  data.eos = 1;
  config = json::parse(hugging_face_tokenizer_config_json(BytePairTokenizer(data), 0));
  CHECK(config.at("eos_token") == "{\"u\"}");
  CHECK_FALSE(config.contains("model_max_length"));
  CHECK_FALSE(config.contains("chat_template"));
}

}  // namespace
