// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/hugging_face/load_hugging_face.hpp"

using namespace zeroth_test;
using nlohmann::json;
using zeroth::model::DecoderConfig;
using zeroth::model::JsonValue;
using zeroth::model::RotaryScaling;

namespace {

json read_json(std::filesystem::path const& path) {
  std::ifstream file(path);
  return json::parse(file);
}

DecoderConfig config_of(json const& text) {
  return zeroth::model::read_hugging_face_config(JsonValue::parse(text.dump(), "config.json"));
}

/// The message of reading the configuration of a golden family after a change to it.
std::string changed(std::string const& family, std::function<void(json&)> const& change) {
  json config = read_json(golden_file("families/" + family + "/config.json"));
  change(config);
  try {
    static_cast<void>(config_of(config));
  } catch (zeroth::InvalidFile const& error) {
    std::string const what = error.what();
    CHECK(what.starts_with("config.json: "));
    return what.substr(13);
  }
  return "accepted";
}

/// A copy of a golden family's folder with a change.
class ChangedFolder {
 public:
  explicit ChangedFolder(std::string const& family) {
    std::filesystem::copy(golden_file("families/" + family), path(), std::filesystem::copy_options::recursive);
  }
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "model"; }

  void change_config(std::function<void(json&)> const& change) const {
    json config = read_json(path() / "config.json");
    change(config);
    std::ofstream(path() / "config.json") << config;
  }

  /// Removes the first "model." from the names of a file's tensors, which checkpoints of the bare model lack.
  void make_bare(std::string const& name) const {
    std::string const bytes = read_bytes(path() / name);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    std::string header = bytes.substr(sizeof length, length);
    for (std::size_t at = 0; (at = header.find("\"model.", at)) != std::string::npos; ++at) header.erase(at + 1, 6);
    write(name, header, bytes.substr(sizeof length + length));
  }

  /// The message of loading it, without the folder's name.
  [[nodiscard]] std::string loaded() const {
    try {
      static_cast<void>(zeroth::model::load_hugging_face(path()));
    } catch (zeroth::InvalidFile const& error) {
      std::string const what = error.what();
      CHECK(what.starts_with(path().string()));
      return what.substr(path().string().size());
    }
    return "accepted";
  }

 protected:
  static std::string read_bytes(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void write(std::string const& name, std::string const& header, std::string const& data) const {
    std::uint64_t const length = header.size();
    std::ofstream(path() / name, std::ios::binary)
        << std::string(reinterpret_cast<char const*>(&length), sizeof length) << header << data;
  }

 private:
  TemporaryDirectory directory_;
};

/// A golden LLaMA with a tied head, with lm_head.weight added in a second file.
class HeadFolder : public ChangedFolder {
 public:
  /// @param bare whether the decoder's names lack the first "model."
  explicit HeadFolder(bool bare) : ChangedFolder("llama3"), prefix_(bare ? "" : "model.") {
    std::filesystem::rename(path() / "model.safetensors", path() / "decoder.safetensors");
    auto const weights = zeroth::model::load_hugging_face(golden_file("families/llama3"));
    auto const values = weights.values(weights.tensors().embedding);
    embedding_.assign(values.begin(), values.end());
    if (bare) make_bare("decoder.safetensors");
  }

  [[nodiscard]] std::vector<float> const& embedding() const { return embedding_; }

  /// Writes lm_head.weight and the index of both files.
  void write_head(std::string const& change) const {
    std::vector<float> head = embedding_;
    if (change == "one value") head.back() += 1;
    std::size_t const rows = change == "other shape" ? 262 : 263;
    std::string const dtype = change == "integers" ? "I32" : change == "same" ? "BF16" : "F32";
    std::string data(reinterpret_cast<char const*>(head.data()), rows * 36 * sizeof(float));
    if (dtype == "BF16") {  // the upper half of a float
      std::string upper;
      for (std::size_t i = 0; i < data.size(); i += 4) upper += data.substr(i + 2, 2);
      data = upper;
    }
    json const header{
        {"lm_head.weight", {{"dtype", dtype}, {"shape", {rows, 36}}, {"data_offsets", {0, data.size()}}}}};
    write("head.safetensors", header.dump(), data);
    json index;
    zeroth::model::SafetensorsFile const decoder((path() / "decoder.safetensors").string());
    for (auto const& tensor : decoder.tensors())
      if (change != "no embedding" || tensor.name != prefix_ + "embed_tokens.weight")
        index["weight_map"][tensor.name] = "decoder.safetensors";
    index["weight_map"]["lm_head.weight"] = "head.safetensors";
    std::ofstream(path() / "model.safetensors.index.json") << index;
  }

 private:
  std::string prefix_;
  std::vector<float> embedding_;
};

}  // namespace

TEST_CASE("config.json of transformers 4 and of 5 mean the same") {
  json const five = read_json(golden_file("families/llama3/config.json"));
  DecoderConfig const expected = config_of(five);
  CHECK(expected.rope_scaling.kind == RotaryScaling::Kind::llama3);
  CHECK(expected.rope_scaling.original_context == 64);
  json four = five;
  four["rope_scaling"] = four["rope_parameters"];
  four.erase("rope_parameters");
  four["rope_theta"] = four["rope_scaling"]["rope_theta"];
  four["rope_scaling"].erase("rope_theta");
  CHECK(config_of(four) == expected);

  // LLaMA's first checkpoints have neither the number of key-value heads nor the base of the rotary angles.
  four["rope_scaling"] = nullptr;
  for (char const* key : {"num_key_value_heads", "rope_theta", "head_dim", "attention_bias", "mlp_bias"})
    four.erase(key);
  DecoderConfig const first = config_of(four);
  CHECK(first.kv_heads == 6);
  CHECK(first.head_dim == 6);
  CHECK(first.rope_theta == 10000);
  CHECK(first.rope_scaling.kind == RotaryScaling::Kind::none);

  json linear = four;
  linear["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  CHECK(config_of(linear).rope_scaling.factor == 2);
}

TEST_CASE("each family's own defaults hold where config.json says nothing") {
  json mistral = read_json(golden_file("families/mistral/config.json"));
  CHECK(config_of(mistral).sliding_window == 9);
  mistral["sliding_window"] = nullptr;
  CHECK(config_of(mistral).sliding_window == 0);
  mistral.erase("sliding_window");
  CHECK(config_of(mistral).sliding_window == 4096);

  json opt = read_json(golden_file("families/opt/config.json"));
  opt.erase("enable_bias");
  opt.erase("tie_word_embeddings");
  CHECK(config_of(opt).query_key_value_bias);
  CHECK(config_of(opt).tied_head);
  opt["enable_bias"] = false;
  CHECK_FALSE(config_of(opt).mlp_bias);

  json llama = read_json(golden_file("families/llama3/config.json"));
  llama.erase("tie_word_embeddings");
  CHECK_FALSE(config_of(llama).tied_head);
}

// The results of transformers 5.24 for the same keys, including standardize_rope_params(), which its models call.
TEST_CASE("theta and rotary scaling are read from every place where transformers looks") {
  json plain = read_json(golden_file("families/llama3/config.json"));
  plain.erase("rope_parameters");
  json const five = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 5e5}};
  json const four = {{"type", "linear"}, {"factor", 4.0}};
  auto rotary = [&](std::string const& family, json const& keys) {
    json config = plain;
    config["model_type"] = family;
    config.update(keys);
    DecoderConfig const read = config_of(config);
    return std::pair(read.rope_theta,
                     read.rope_scaling.kind == RotaryScaling::Kind::none ? 1.0 : read.rope_scaling.factor);
  };
  using Pair = std::pair<double, double>;
  for (std::string const family : {"llama", "mistral", "qwen2"}) {
    CHECK(rotary(family, json::object()) == Pair(10000, 1));
    CHECK(rotary(family, {{"rope_theta", 1000.0}}) == Pair(1000, 1));
    CHECK(rotary(family, {{"rope_parameters", five}}) == Pair(5e5, 2));
    CHECK(rotary(family, {{"rope_parameters", five}, {"rope_theta", 1000.0}}) == Pair(5e5, 2));
    CHECK(rotary(family, {{"rope_scaling", four}, {"rope_theta", 1000.0}}) == Pair(1000, 4));
    CHECK(rotary(family, {{"rope_scaling", five}, {"rope_theta", 1000.0}}) == Pair(5e5, 2));
    // rope_scaling replaces rope_parameters completely: not even its theta is used.
    CHECK(rotary(family, {{"rope_parameters", five}, {"rope_scaling", four}}) == Pair(10000, 4));
    CHECK(rotary(family, {{"rope_parameters", five}, {"rope_scaling", four}, {"rope_theta", 7.0}}) == Pair(7, 4));
    CHECK(rotary(family, {{"rope_parameters", five}, {"rope_scaling", nullptr}}) == Pair(5e5, 2));
    CHECK(rotary(family, {{"rope_parameters", five}, {"rope_scaling", json::object()}}) == Pair(5e5, 2));
    CHECK(rotary(family, {{"rope_parameters", nullptr}, {"rope_scaling", {{"type", "default"}}}}) == Pair(10000, 1));
    CHECK(rotary(family, {{"rope_parameters", {{"rope_type", "default"}, {"factor", 9.0}}}}) == Pair(10000, 1));
  }
}

TEST_CASE("the context that llama3's scaling starts from has three places") {
  json config = read_json(golden_file("families/llama3/config.json"));
  auto original = [&] { return config_of(config).rope_scaling.original_context; };
  CHECK(original() == 64);
  config["rope_parameters"]["type"] = "linear";  // rope_type wins
  CHECK(original() == 64);
  config["original_max_position_embeddings"] = 32;
  CHECK(original() == 32);
  config.erase("original_max_position_embeddings");
  config["rope_parameters"].erase("original_max_position_embeddings");
  CHECK(original() == 128);  // max_position_embeddings
}

TEST_CASE("rotary parameters that the decoder lacks are rejected by key, wherever they are") {
  auto after = [](json const& keys) {
    return changed("qwen2", [&](json& config) {
      config.erase("rope_parameters");
      config.update(keys);
    });
  };
  for (std::string const name : {"rope_parameters", "rope_scaling"}) {
    auto const inside = [&](json const& parameters) { return after({{name, parameters}}); };
    CHECK(inside({{"rope_type", "linear"}, {"factor", 2}}) == "accepted");
    for (std::string const type : {"yarn", "dynamic", "longrope", "mrope"}) {
      CHECK_THAT(inside({{"rope_type", type}, {"factor", 2.0}}),
                 contains_text("key '" + name +
                               ".rope_type': expected one of \"default\", \"linear\", \"llama3\", "
                               "found \"" +
                               type + '"'));
      CHECK_THAT(inside({{"type", type}, {"factor", 2.0}}), contains_text("key '" + name + ".type': expected one of"));
    }
    CHECK_THAT(inside({{"rope_type", nullptr}, {"type", "linear"}, {"factor", 2.0}}),
               contains_text("key '" + name + ".rope_type': expected one of"));
    CHECK_THAT(inside({{"full_attention", {{"rope_type", "default"}}}}),
               contains_text("key '" + name +
                             ".full_attention': expected a number or a string: rotary parameters of "
                             "one kind of layer are not supported"));
    CHECK_THAT(inside("linear"), contains_text("key '" + name + "': expected an object, found \"linear\""));
    CHECK_THAT(inside({{"rope_theta", "1"}}), contains_text("key '" + name + ".rope_theta': expected a number"));
    CHECK_THAT(inside({{"partial_rotary_factor", 0.5}}),
               contains_text("key '" + name + ".partial_rotary_factor': expected 1, since"));
    CHECK(after({{name, {{"partial_rotary_factor", 1.0}}}, {"partial_rotary_factor", 0.5}}) == "accepted");
  }
  CHECK_THAT(after({{"partial_rotary_factor", 0.5}}), contains_text("key 'partial_rotary_factor': expected 1, since"));
}

TEST_CASE("a window is read if the family has one, and rejected if only some layers would have it") {
  auto after = [](std::string const& family, json const& keys) {
    return changed(family, [&](json& config) {
      config.erase("layer_types");
      config.update(keys);
    });
  };
  json const all_full = {"full_attention", "full_attention"};
  json const mixed = {"full_attention", "sliding_attention"};
  json const all_sliding = {"sliding_attention", "sliding_attention"};
  json const windowed = {{"use_sliding_window", true}, {"sliding_window", 9}, {"max_window_layers", 1}};
  CHECK_THAT(after("qwen2", windowed), contains_text("key 'use_sliding_window': expected false: a window in some"));
  // No layer has the window in these cases.
  for (json const& other : {json{{"max_window_layers", 2}}, json{{"sliding_window", nullptr}},
                            json{{"use_sliding_window", false}}, json{{"layer_types", all_full}}}) {
    json keys = windowed;
    keys.update(other);
    CHECK(after("qwen2", keys) == "accepted");
  }
  CHECK(after("qwen2", {{"layer_types", {"attention", "attention"}}}) == "accepted");
  for (std::string const family : {"llama3", "qwen2"}) {
    CHECK_THAT(after(family, {{"layer_types", mixed}}),
               contains_text("key 'layer_types[1]': expected \"full_attention\": layers that differ are not supported, "
                             "found \"sliding_attention\""));
    CHECK_THAT(after(family, {{"layer_types", {"full_attention"}}}),
               contains_text("key 'layer_types': expected one for each of the 2 layers, found 1"));
  }
  CHECK(after("mistral", {{"layer_types", all_sliding}}) == "accepted");
  CHECK_THAT(after("mistral", {{"layer_types", mixed}}), contains_text("key 'layer_types[0]': expected \"sliding_"));
  CHECK_THAT(after("mistral", {{"layer_types", all_sliding}, {"sliding_window", nullptr}}),
             contains_text("key 'layer_types[0]': expected \"full_attention\""));
  CHECK_THAT(after("mistral", {{"sliding_window", 0}}), contains_text("key 'sliding_window': expected null for no"));
  CHECK_THAT(after("llama3", {{"sliding_window", 9}}),
             contains_text("key 'sliding_window': expected null or at least"));
  CHECK_THAT(after("llama3", {{"attention_chunk_size", 8}}),
             contains_text("key 'attention_chunk_size': expected null"));
  CHECK(after("llama3", {{"sliding_window", 9}, {"use_sliding_window", false}}) == "accepted");
  CHECK(after("llama3", {{"sliding_window", 4096}}) == "accepted");
}

TEST_CASE("a number of key-value heads that is absent is the family's own, null is that of heads") {
  auto kv_heads = [](std::string const& family, json const& heads, bool null) {
    json config = read_json(golden_file("families/" + family + "/config.json"));
    config["num_attention_heads"] = heads;
    config["hidden_size"] = 128;
    if (null)
      config["num_key_value_heads"] = nullptr;
    else
      config.erase("num_key_value_heads");
    return config_of(config).kv_heads;
  };
  CHECK(kv_heads("llama3", 32, true) == 32);
  CHECK(kv_heads("llama3", 32, false) == 32);
  CHECK(kv_heads("mistral", 32, true) == 32);
  CHECK(kv_heads("mistral", 32, false) == 8);
  CHECK(kv_heads("qwen2", 32, true) == 32);
  CHECK(kv_heads("qwen2", 64, false) == 32);
}

TEST_CASE("Qwen3 has heads of 128 where config.json does not say, and biases only where it does") {
  json config = read_json(golden_file("families/qwen3/config.json"));
  CHECK(config_of(config).head_dim == 16);
  CHECK_FALSE(config_of(config).query_key_value_bias);
  config.erase("head_dim");
  config["attention_bias"] = true;
  DecoderConfig const found = config_of(config);
  CHECK(found.head_dim == 128);
  CHECK(found.query_key_value_bias);
  CHECK(found.attention_out_bias);
  CHECK_FALSE(found.mlp_bias);
  CHECK(config_of(zeroth::model::hugging_face_config(found)) == found);
}

TEST_CASE("SmolLM3 turns nothing in the layers that config.json says, every fourth if it does not") {
  auto layers = [](json const& changes, std::string const& without = "") {
    json config = read_json(golden_file("families/smollm3/config.json"));
    config.erase("no_rope_layers");
    config.erase(without);
    config.update(changes);
    std::string turned;
    DecoderConfig const found = config_of(config);
    for (std::size_t l = 0; l < found.layers; ++l) turned += found.rotates(l) ? '1' : '0';
    CHECK(config_of(zeroth::model::hugging_face_config(found)) == found);
    return turned;
  };
  auto after = [](json const& keys) { return changed("smollm3", [&](json& config) { config.update(keys); }); };
  CHECK(layers(json::object()) == "11101");
  CHECK(layers(json::object(), "no_rope_layer_interval") == "11101");
  CHECK(layers({{"no_rope_layer_interval", 2}}) == "10101");
  CHECK(layers({{"no_rope_layers", {0, 1, 1, 0, 0, 0}}}) == "01100");
  CHECK(layers({{"no_rope_layers", {1, 1, 1, 1, 1}}}) == "11111");
  CHECK(after({{"layer_types", nullptr}, {"use_sliding_window", true}}) == "accepted");
  CHECK_THAT(after({{"layer_types", nullptr}, {"use_sliding_window", true}, {"sliding_window", 9}}),
             contains_text("key 'use_sliding_window': expected false"));
  CHECK_THAT(after({{"no_rope_layers", {1, 1}}}),
             contains_text("key 'no_rope_layers': expected a number for each of the 5 layers, found 2"));
  CHECK_THAT(after({{"no_rope_layers", nullptr}, {"no_rope_layer_interval", 0}}),
             contains_text("key 'no_rope_layer_interval': expected at least 1"));
  json config = read_json(golden_file("families/smollm3/config.json"));
  config["rope_parameters"].erase("rope_theta");
  CHECK(config_of(config).rope_theta == 2e6);
}

TEST_CASE("Phi-3 rotates a part of each head, and rejects other scaling by its type") {
  auto after = [](json const& keys) { return changed("phi3", [&](json& config) { config.update(keys); }); };
  json config = read_json(golden_file("families/phi3/config.json"));
  CHECK(config_of(config).rotary_dim == 6);
  // For heads of 98, every even rotated part must be recoverable from its factor.
  config["hidden_size"] = 392;
  config["rope_parameters"].erase("partial_rotary_factor");
  for (std::uint32_t part = 2; part <= 98; part += 2) {
    DecoderConfig asked = config_of(config);
    asked.rotary_dim = part == 98 ? 0 : part;
    CHECK(config_of(zeroth::model::hugging_face_config(asked)) == asked);
  }
  CHECK(config_of(config).rotary_dim == 0);
  config["partial_rotary_factor"] = 0.5;
  config["hidden_size"] = 32;
  CHECK(config_of(config).rotary_dim == 4);
  config.erase("sliding_window");
  CHECK(config_of(config).sliding_window == 0);
  for (std::string const type : {"longrope", "su", "yarn", "linear", "llama3"})
    CHECK_THAT(after({{"rope_scaling", {{"type", type}, {"factor", 2.0}}}}),
               contains_text("'rope_scaling.type': expected \"default\", found \"" + type + "\""));
  for (double const factor : {0.0, -0.5, 1.5, 0.25})
    CHECK_THAT(after({{"rope_parameters", {{"partial_rotary_factor", factor}}}}),
               contains_text("'rope_parameters.partial_rotary_factor': expected"));
  CHECK_THAT(changed("qwen3", [](json& c) { c["partial_rotary_factor"] = 0.5; }),
             contains_text("'partial_rotary_factor': expected 1"));
}

TEST_CASE("Gemma 2's keys mean what they do in transformers, absent and null") {
  auto read = [](json const& changes, std::vector<std::string> const& without = {}) {
    json config = read_json(golden_file("families/gemma2/config.json"));
    for (std::string const& key : without) config.erase(key);
    config.update(changes);
    DecoderConfig const found = config_of(config);
    CHECK(config_of(zeroth::model::hugging_face_config(found)) == found);
    return found;
  };
  auto windows = [](DecoderConfig const& config) {
    std::vector<std::uint32_t> all;
    for (std::size_t l = 0; l < config.layers; ++l) all.push_back(config.window(l));
    return all;
  };
  using Windows = std::vector<std::uint32_t>;
  DecoderConfig const plain = read(json::object());
  CHECK(windows(plain) == Windows{9, 0, 9});
  CHECK(plain.attention_soft_cap == 3);
  CHECK(plain.logit_soft_cap == 5);
  CHECK(plain.query_scalar == 0);
  CHECK(plain.gain_offset == 1);
  CHECK(plain.embedding_scale == std::sqrt(32.0F));
  DecoderConfig const bare =
      read(json::object(), {"layer_types", "sliding_window", "attn_logit_softcapping", "final_logit_softcapping",
                            "query_pre_attn_scalar", "head_dim", "num_key_value_heads", "hidden_activation"});
  CHECK(windows(bare) == Windows{4096, 0, 4096});
  CHECK(bare.attention_soft_cap == 50);
  CHECK(bare.logit_soft_cap == 30);
  CHECK(bare.head_dim == 256);
  CHECK(bare.query_scalar == 0);
  CHECK(bare.kv_heads == 4);
  CHECK(read({{"query_pre_attn_scalar", 10}}).query_scalar == 10);
  CHECK(read({{"attn_logit_softcapping", nullptr}}).attention_soft_cap == 0);
  CHECK(read({{"final_logit_softcapping", nullptr}}).logit_soft_cap == 0);
  json const full{"full_attention", "full_attention", "full_attention"};
  CHECK(windows(read({{"layer_types", full}})) == Windows{0, 0, 0});
  CHECK(windows(read({{"layer_types", full}, {"sliding_window", nullptr}})) == Windows{0, 0, 0});

  auto after = [](json const& keys) { return changed("gemma2", [&](json& config) { config.update(keys); }); };
  CHECK_THAT(after({{"sliding_window", nullptr}}), contains_text("key 'sliding_window': expected at least 1"));
  CHECK_THAT(after({{"sliding_window", 0}}), contains_text("key 'sliding_window': expected at least 1"));
  CHECK_THAT(after({{"layer_types", {"full_attention"}}}), contains_text("'layer_types': expected one for each of"));
  CHECK_THAT(after({{"layer_types", {"full_attention", "x", "full_attention"}}}),
             contains_text("'layer_types[1]': expected \"sliding_attention\" or \"full_attention\", found \"x\""));
  CHECK_THAT(after({{"attn_logit_softcapping", 0}}), contains_text("expected null for no cap, or more than 0"));
  CHECK_THAT(after({{"final_logit_softcapping", -1}}), contains_text("expected null for no cap, or more than 0"));
  CHECK_THAT(after({{"query_pre_attn_scalar", 0}}), contains_text("'query_pre_attn_scalar': expected more than 0"));
  CHECK_THAT(after({{"use_bidirectional_attention", true}}),
             contains_text("'use_bidirectional_attention': expected false"));
  CHECK_THAT(after({{"hidden_activation", "gelu"}}), contains_text("expected \"gelu_pytorch_tanh\""));
}

TEST_CASE("Gemma 3's rotary parameters are those of its kinds of layers, wherever transformers looks for them") {
  auto read = [](std::function<void(json&)> const& change) {
    json config = read_json(golden_file("families/gemma3/config.json"));
    change(config);
    DecoderConfig const found = config_of(config);
    CHECK(config_of(zeroth::model::hugging_face_config(found)) == found);
    return found;
  };
  using Kind = RotaryScaling::Kind;
  DecoderConfig const plain = read([](json&) {});
  CHECK(plain.rope_theta == 1e6);
  CHECK(plain.local_rope_theta == 1e4);
  CHECK(plain.rope_scaling.kind == Kind::linear);
  CHECK(plain.rope_scaling.factor == 4);
  CHECK(plain.rotates_locally(0));
  CHECK_FALSE(plain.rotates_locally(5));
  // As published, with the keys of transformers 4.
  DecoderConfig const four = read([](json& c) {
    c.erase("rope_parameters");
    c.erase("layer_types");
    c["rope_theta"] = 5e5;
    c["rope_local_base_freq"] = 2e4;
    c["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
    c["sliding_window_pattern"] = 3;
  });
  CHECK(four.rope_theta == 5e5);
  CHECK(four.local_rope_theta == 2e4);
  CHECK(four.rope_scaling.factor == 8);
  CHECK(four.windowed_layers == std::vector<bool>{true, true, false, true, true, false, true});
  DecoderConfig const bare = read([](json& c) { c.erase("rope_parameters"); });
  CHECK(bare.rope_theta == 1e6);
  CHECK(bare.local_rope_theta == 1e4);
  CHECK(bare.rope_scaling.kind == Kind::none);
  DecoderConfig const full = read([](json& c) {
    c["layer_types"] = std::vector<std::string>(7, "full_attention");
    c["sliding_window"] = nullptr;
  });
  CHECK(full.local_rope_theta == 0);

  auto after = [](json const& keys) { return changed("gemma3", [&](json& config) { config.update(keys); }); };
  CHECK_THAT(after({{"rope_parameters", {{"rope_theta", 1e4}}}}),
             contains_text("'rope_parameters.rope_theta': expected the parameters of a kind of layers"));
  CHECK_THAT(after({{"rope_parameters", {{"sliding_attention", {{"rope_type", "linear"}}}}}}),
             contains_text("'rope_parameters.sliding_attention.rope_type': expected \"default\", found \"linear\""));
  CHECK_THAT(after({{"rope_parameters", {{"full_attention", {{"rope_type", "llama3"}}}}}}),
             contains_text("expected one of \"default\", \"linear\", found \"llama3\""));
  CHECK_THAT(after({{"rope_scaling", {{"type", "linear"}, {"factor", 8.0}}}}), contains_text("'rope_scaling.type'"));
  CHECK_THAT(after({{"rope_parameters", {{"sliding_attention", {{"rope_theta", 0}}}}}}),
             contains_text("'rope_parameters.sliding_attention.rope_theta': expected more than 0"));
  CHECK_THAT(after({{"partial_rotary_factor", 0.5}}), contains_text("'partial_rotary_factor': expected 1"));
  CHECK_THAT(after({{"attn_logit_softcapping", 50.0}}), contains_text("'attn_logit_softcapping': expected null"));
  CHECK_THAT(after({{"layer_types", nullptr}, {"sliding_window_pattern", 0}}),
             contains_text("'sliding_window_pattern': expected at least 1"));
}

TEST_CASE("a config.json that asks for what the decoder lacks is rejected by key") {
  auto set = [](std::string const& key, json const& value) {
    return [=](json& config) { config[json::json_pointer(key)] = value; };
  };
  CHECK(changed("qwen2", [](json&) {}) == "accepted");
  CHECK_THAT(changed("qwen2", set("/model_type", "gpt2")), contains_text("key 'model_type': architecture 'gpt2'"));
  CHECK_THAT(changed("qwen2", set("/hidden_act", "gelu")), contains_text("key 'hidden_act': expected \"silu\""));
  CHECK_THAT(changed("qwen2", set("/quantization_config", json::object())), contains_text("'quantization_config'"));
  CHECK_THAT(changed("qwen2", set("/text_config", {{"vocab_size", 3}})),
             contains_text("key 'text_config': expected no"));
  CHECK_THAT(changed("qwen2", set("/per_layer_config", {{"0", json::object()}})), contains_text("'per_layer_config'"));
  CHECK_THAT(changed("qwen2", set("/configuration_files", {"config.4.0.0.json"})), contains_text("'configuration_fil"));
  CHECK(changed("qwen2", set("/hidden_act", "swish")) == "accepted");
  CHECK_THAT(changed("llama3", [](json& c) { c["rope_parameters"].erase("factor"); }), contains_text("'rope_par"));
  CHECK_THAT(changed("llama3", set("/rope_parameters/high_freq_factor", 0.5)), contains_text("rope_scaling: expected"));
  CHECK_THAT(changed("llama3", set("/hidden_size", -1)), contains_text("key 'hidden_size'"));
  CHECK_THAT(changed("llama3", set("/num_attention_heads", 0)), contains_text("heads must be in"));
  CHECK_THAT(changed("opt", set("/word_embed_proj_dim", 16)), contains_text("key 'word_embed_proj_dim'"));
  CHECK_THAT(changed("opt", set("/do_layer_norm_before", false)), contains_text("key 'do_layer_norm_before'"));
  CHECK_THAT(changed("opt", set("/activation_function", "gelu")), contains_text("key 'activation_function'"));
  CHECK_THAT(changed("opt", set("/num_attention_heads", 5)), contains_text("a divisor of hidden_size, 32"));
  CHECK_THAT(changed("opt", [](json& c) { c.erase("ffn_dim"); }), contains_text("key 'ffn_dim'"));
}

TEST_CASE("a head that differs from the embedding is not tied, whatever config.json says") {
  for (bool const bare : {false, true}) {
    for (std::string const change : {"same", "one value", "other type, same values", "no embedding"}) {
      INFO(change);
      HeadFolder folder(bare);
      folder.write_head(change);
      auto const weights = zeroth::model::load_hugging_face(folder.path());
      CHECK(weights.config().tied_head == (change != "one value"));
      CHECK((weights.tensors().head == weights.tensors().embedding) == weights.config().tied_head);
      std::vector<float> expected = folder.embedding();
      CHECK(std::equal(expected.begin(), expected.end(), weights.values(weights.tensors().embedding).begin()));
      if (change != "one value") continue;
      expected.back() += 1;
      CHECK(std::equal(expected.begin(), expected.end(), weights.values(weights.tensors().head).begin()));
    }
  }
  HeadFolder folder(false);
  folder.write_head("other shape");
  CHECK(folder.loaded() == ": tensor 'lm_head.weight': expected 263 x 36, found 262 x 36");
  folder.write_head("integers");
  CHECK(folder.loaded() == ": tensor 'lm_head.weight': expected F32, F16 or BF16, found I32");
}

TEST_CASE("OPT is read as it was published, the bare model's names included") {
  ChangedFolder const folder("opt");
  // The keys of the published configurations, which lack those added by later versions of transformers.
  folder.change_config([](json& config) {
    json const sizes = config;
    config = json::parse(R"({"_name_or_path": "opt", "_remove_final_layer_norm": false, "activation_dropout": 0.0,
      "activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 2,
      "do_layer_norm_before": true, "dropout": 0.1, "eos_token_id": 2, "init_std": 0.02, "layerdrop": 0.0,
      "model_type": "opt", "pad_token_id": 1, "prefix": "</s>", "torch_dtype": "float16",
      "transformers_version": "4.21.0.dev0", "use_cache": true})");
    for (char const* key : {"ffn_dim", "hidden_size", "max_position_embeddings", "num_attention_heads",
                            "num_hidden_layers", "vocab_size", "word_embed_proj_dim"})
      config[key] = sizes.at(key);
  });
  folder.make_bare("model.safetensors");
  auto const expected = zeroth::model::load_hugging_face(golden_file("families/opt"));
  auto const found = zeroth::model::load_hugging_face(folder.path());
  CHECK(found.config() == expected.config());
  for (std::size_t p = 0; p < expected.parameters().size(); ++p)
    CHECK(std::equal(expected.values(p).begin(), expected.values(p).end(), found.values(p).begin()));
}

TEST_CASE("a checkpoint that does not match its config.json is rejected by tensor") {
  CHECK(ChangedFolder("qwen2").loaded() == "accepted");
  auto after = [](std::string const& family, std::function<void(json&)> const& change) {
    ChangedFolder const folder(family);
    folder.change_config(change);
    return folder.loaded();
  };
  auto layers = [](std::uint32_t count) {
    return [=](json& config) {
      config["num_hidden_layers"] = count;
      config.erase("layer_types");
    };
  };
  CHECK(after("qwen2", [](json& c) { c["intermediate_size"] = 57; }) ==
        ": tensor 'model.layers.0.mlp.gate_proj.weight': expected 57 x 36, found 56 x 36");
  CHECK(after("opt", [](json& c) { c["max_position_embeddings"] = 81; }) ==
        ": tensor 'model.decoder.embed_positions.weight': expected 83 x 32, found 82 x 32");
  CHECK(after("qwen2", layers(3)) == ": tensor 'model.layers.2.input_layernorm.weight' is missing");
  CHECK_THAT(after("qwen2", layers(1)), contains_text("' is not part of a decoder of architecture 'qwen2'"));
  CHECK_THAT(after("qwen2", layers(16777216)),
             contains_text("/config.json: key 'num_hidden_layers': expected no more layers than tensors"));
  CHECK(after("qwen2", [](json& c) { c["tie_word_embeddings"] = false; }) == ": tensor 'lm_head.weight' is missing");
  CHECK_THAT(after("qwen2_separate", [](json& c) { c["num_key_value_heads"] = 9; }),
             contains_text("tensor 'model.layers.0.self_attn.k_proj.weight': expected 54 x 54, found 18 x 54"));

  ChangedFolder const folder("opt");
  std::filesystem::remove(folder.path() / "config.json");
  CHECK_THAT(folder.loaded(), contains_text("/config.json"));
}
