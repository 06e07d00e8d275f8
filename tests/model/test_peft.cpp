// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "lora_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/peft/export_peft.hpp"
#include "zeroth_model/io/peft/load_peft.hpp"

using namespace zeroth_test;
using nlohmann::json;
using zeroth::model::DecoderWeights;
using zeroth::model::LoraAdapter;
using zeroth::model::PackedBatch;
using zeroth::model::SafetensorsFile;

namespace {

namespace fs = std::filesystem;

constexpr std::array families{"llama3", "llama_bias_linear", "mistral", "qwen2", "opt", "phi3", "gemma3"};

std::string peft_folder(std::string const& name) {
  return golden_file("peft/" + name);
}

json read_json(fs::path const& path) {
  std::ifstream file(path);
  return json::parse(file);
}

/// The base of the adapter: the folder and, if there is one, the GGUF file.
std::vector<DecoderWeights> bases_of(std::string const& name) {
  std::vector<DecoderWeights> bases;
  bases.push_back(load_family_folder(name));
  if (name != "opt") bases.push_back(load_family_gguf(name));
  return bases;
}

template <class Decoder>
void check_log_probabilities(std::string const& name, Decoder&& decoder) {
  auto const sequences = golden_sequences("peft/" + name + "/golden");
  REQUIRE(sequences.size() == 4);
  for (GoldenSequence const& sequence : sequences) {
    PackedBatch batch;
    add_scored(batch, sequence.tokens);
    auto const found = score(decoder, batch);
    REQUIRE(found.size() == sequence.log_probs.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(name << ", token " << i + 1 << " of " << sequence.tokens.size());
      CHECK(found[i] == Approx(sequence.log_probs[i]).margin(1e-4));
    }
  }
}

std::vector<float> read(SafetensorsFile const& file, std::string const& name) {
  auto const& tensor = file.tensor(name);
  std::vector<float> values(tensor.values);
  file.read(tensor, values);
  return values;
}

/// A copy of the mistral adapter whose files can be changed.
struct Fixture {
  TemporaryDirectory directory;
  DecoderWeights base = load_family_folder("mistral");

  Fixture() {
    for (char const* name : {"adapter_config.json", "adapter_model.safetensors"})
      fs::copy_file(fs::path(peft_folder("mistral")) / name, directory / name);
  }

  void change_config(std::function<void(json&)> const& change) const {
    json config = read_json(fs::path(peft_folder("mistral")) / "adapter_config.json");
    change(config);
    std::ofstream(directory / "adapter_config.json") << config.dump();
  }

  /// Replaces a text in the header of the tensors with one of the same length.
  void change_tensors(std::string const& from, std::string const& to) const {
    REQUIRE(from.size() == to.size());
    std::ifstream in(fs::path(peft_folder("mistral")) / "adapter_model.safetensors", std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::size_t const at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    std::ofstream(directory / "adapter_model.safetensors", std::ios::binary) << bytes.replace(at, from.size(), to);
  }

  void check_refused(std::string const& expected) const {
    CHECK_THROWS_WITH(zeroth::model::load_peft(directory.path(), base), contains_text(expected));
  }
};

}  // namespace

TEST_CASE("adapters of each family score as PEFT does, on folders and on GGUF files") {
  for (std::string name : families) {
    for (DecoderWeights& base : bases_of(name)) {
      auto const [config, adapter] = zeroth::model::load_peft(peft_folder(name), base);
      CHECK(config.base_model == "zeroth golden " + name);
      check_log_probabilities(name, CpuDecoder(base, adapter));
      check_log_probabilities(name, EigenDecoder(base, adapter));
      // Also when merged: within the same 1e-4.
      zeroth::model::merge(adapter, base);
      check_log_probabilities(name, CpuDecoder(base));
    }
  }
}

TEST_CASE("an adapter that is loaded and saved is the one that PEFT wrote, to the bit, from GGUF too") {
  for (std::string name : families) {
    for (DecoderWeights const& base : bases_of(name)) {
      INFO(name);
      TemporaryDirectory const directory;
      auto const loaded = zeroth::model::load_peft(peft_folder(name), base);
      zeroth::model::save_peft(directory / "adapter", loaded.adapter, base, loaded.config.base_model);
      SafetensorsFile const theirs(peft_folder(name) + "/adapter_model.safetensors");
      SafetensorsFile const ours((directory / "adapter/adapter_model.safetensors").string());
      CHECK(ours.tensors().size() == theirs.tensors().size());
      for (auto const& tensor : theirs.tensors()) {
        INFO(tensor.name);
        CHECK(ours.tensor(tensor.name).shape == tensor.shape);
        CHECK(ours.tensor(tensor.name).dtype == "F32");
        CHECK(read(ours, tensor.name) == read(theirs, tensor.name));
      }
      json const config = read_json(directory / "adapter/adapter_config.json");
      json const expected = read_json(peft_folder(name) + "/adapter_config.json");
      for (auto const& [key, value] : config.items()) {
        INFO(key);
        if (key != "target_modules") CHECK(value == expected.at(key));
      }
      auto const again = zeroth::model::load_peft(directory / "adapter", base);
      for (std::size_t p = 0; p < loaded.adapter.parameters().size(); ++p)
        CHECK(std::equal(again.adapter.values(p).begin(), again.adapter.values(p).end(),
                         loaded.adapter.values(p).begin()));
    }
  }
}

TEST_CASE("target_modules name a kind of layer where all are adapted, else each layer") {
  DecoderWeights const base = load_family_gguf("llama3");
  auto targets = [&](std::vector<std::string> const& globs) {
    TemporaryDirectory const directory;
    LoraAdapter const adapter(base, {.rank = 2, .alpha = 1.5, .targets = globs});
    zeroth::model::save_peft(directory / "adapter", adapter, base);
    json const config = read_json(directory / "adapter/adapter_config.json");
    CHECK(config.at("base_model_name_or_path").is_null());
    CHECK(config.at("lora_alpha") == 1.5);
    CHECK(zeroth::model::load_peft(directory / "adapter", base).adapter.pairs().size() == adapter.pairs().size());
    return config.at("target_modules");
  };
  CHECK(targets({"*attn_q.weight", "*attn_v*", "blk.1.ffn_up.weight"}) ==
        json{"q_proj", "v_proj", "model.layers.1.mlp.up_proj"});
  CHECK(targets({"*"}) == json{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"});
}

TEST_CASE("what an adapter's configuration may not say is rejected by file and key") {
  Fixture const fixture;
  struct Case {
    char const* key;
    json value;
    char const* expected;
  };
  for (Case const& c : std::vector<Case>{
           {"peft_type", "IA3", "adapter_config.json: key 'peft_type': expected \"LORA\", found \"IA3\""},
           {"peft_type", nullptr, "key 'peft_type': expected a string, found null"},
           {"r", nullptr, "key 'r': expected an unsigned integer below 2^32, found null"},
           {"r", 0, "key 'r': expected a rank from 1 to 65536, found 0"},
           {"r", 4,
            "adapter_model.safetensors: tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': "
            "expected 4 x 32, for the rank r in adapter_config.json, found 3 x 32"},
           {"lora_alpha", nullptr, "key 'lora_alpha': expected a number, found null"},
           {"lora_alpha", -1, "key 'lora_alpha': expected a number above 0, found -1"},
           {"target_modules", nullptr, "key 'target_modules': expected a value, found null"},
           {"target_modules",
            {"q_proj"},
            "key 'target_modules': expected a name for 'model.layers.0.self_attn.v_proj', which has tensors"},
           {"target_modules",
            {"q_proj", "v_proj", "o_proj"},
            "tensor 'base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight' is missing"},
           {"use_rslora", true, "key 'use_rslora': expected null, false or empty: this feature is not supported"},
           {"use_dora", true, "key 'use_dora': expected null, false or empty"},
           {"fan_in_fan_out", true, "key 'fan_in_fan_out'"},
           {"lora_bias", true, "key 'lora_bias'"},
           {"rank_pattern", {{"q_proj", 8}}, "key 'rank_pattern'"},
           {"modules_to_save", {"lm_head"}, "key 'modules_to_save'"},
           {"a_key_of_tomorrow", 1, "key 'a_key_of_tomorrow': expected null, false or empty"},
           {"bias", "all", "key 'bias': expected \"none\": tuned biases are not supported, found \"all\""},
           {"task_type", "SEQ_CLS", "key 'task_type': expected \"CAUSAL_LM\", found \"SEQ_CLS\""},
           {"init_lora_weights", "pissa", "key 'init_lora_weights': expected a boolean, \"gaussian\""},
       }) {
    INFO(c.key);
    fixture.change_config([&](json& config) { config[c.key] = c.value; });
    fixture.check_refused(c.expected);
  }
  fixture.change_config([](json& config) { config.erase("r"); });
  fixture.check_refused("key 'r': expected an unsigned integer below 2^32, found none");

  // Keys without effect are accepted: other ways to select modules, how the adapter was initialised, names that no
  // module has.
  struct Harmless {
    char const* key;
    json value;
  };
  for (Harmless const& c : std::vector<Harmless>{{"target_modules", ".*(q|v)_proj"},
                                                 {"target_modules", {"fc1", "q_proj", "v_proj"}},
                                                 {"layers_to_transform", {0, 1}},
                                                 {"init_lora_weights", "gaussian"},
                                                 {"lora_dropout", 0.5}}) {
    INFO(c.key);
    fixture.change_config([&](json& config) { config[c.key] = c.value; });
    CHECK(zeroth::model::load_peft(fixture.directory.path(), fixture.base).adapter.pairs().size() == 4);
  }
}

TEST_CASE("what an adapter's tensors may not be is rejected by file and tensor") {
  Fixture const fixture;
  std::string const prefix = "base_model.model.model.layers.";
  fixture.change_tensors("layers.1.self_attn.v_proj.lora_B", "layers.7.self_attn.v_proj.lora_B");
  fixture.check_refused("tensor '" + prefix + "7.self_attn.v_proj.lora_B.weight': expected A or B of a linear layer");
  fixture.change_tensors("layers.1.self_attn.v_proj.lora_B", "layers.1.self_attn.v_proj.lora_C");
  fixture.check_refused("tensor '" + prefix + "1.self_attn.v_proj.lora_C.weight': expected A or B of a linear layer");
  fixture.change_tensors("\"F32\"", "\"I32\"");
  fixture.check_refused("adapter_model.safetensors: tensor '" + prefix);
  fixture.check_refused("expected F32, F16 or BF16, found I32");
  fixture.change_tensors("[3,32]", "[32,3]");
  fixture.check_refused("expected 3 x 32, found 32 x 3");
  fs::remove(fixture.directory / "adapter_model.safetensors");
  fixture.check_refused("adapter_model.safetensors");
  fs::remove(fixture.directory / "adapter_config.json");
  fixture.check_refused("adapter_config.json");

  // On another base, the message names the first tensor that does not fit.
  DecoderWeights const qwen2 = load_family_folder("qwen2");
  CHECK_THROWS_WITH(
      zeroth::model::load_peft(peft_folder("mistral"), qwen2),
      contains_text("tensor '" + prefix + "0.self_attn.q_proj.lora_A.weight': expected 3 x 36, found 3 x 32"));
  DecoderWeights const opt = load_family_folder("opt");
  CHECK_THROWS_WITH(zeroth::model::load_peft(peft_folder("mistral"), opt),
                    contains_text("of this decoder (opt, 2 layers)"));
}
