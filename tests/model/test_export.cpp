// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <tuple>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/gguf/export_gguf.hpp"
#include "zeroth_model/io/hugging_face/export_hugging_face.hpp"
#include "zeroth_model/io/safetensors/safetensors.hpp"
#include "zeroth_model/io/safetensors/safetensors_checkpoint.hpp"

using namespace zeroth_test;
using zeroth::model::GgufFile;
using zeroth::model::SafetensorsFile;

namespace {

bool same_bits(std::span<float const> a, std::span<float const> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

TEST_CASE("an exported GGUF file loads with the same bits and metadata") {
  for (std::string name : golden_models) {
    INFO(name);
    TemporaryDirectory const folder;
    std::filesystem::path const out = folder / "model.gguf";
    GgufFile const source(golden_file(name + ".gguf"));
    auto weights = zeroth::model::load_gguf(source);
    for (std::size_t p = 0; p < weights.parameters().size(); ++p) weights.values(p)[0] += 0.125F;
    zeroth::model::save_gguf(out.string(), source, weights);

    GgufFile const exported(out.string());
    auto const again = zeroth::model::load_gguf(exported);
    CHECK(again.config() == weights.config());
    REQUIRE(again.parameters().size() == weights.parameters().size());
    for (std::size_t p = 0; p < weights.parameters().size(); ++p) CHECK(same_bits(again.values(p), weights.values(p)));
    for (auto const& tensor : exported.tensors()) {
      CHECK(tensor.type == zeroth::model::TensorType::f32);
      CHECK(tensor.dims == source.tensor(tensor.name).dims);
    }
    CHECK(exported.get_array<std::string_view>("tokenizer.ggml.tokens") ==
          source.get_array<std::string_view>("tokenizer.ggml.tokens"));
    CHECK_FALSE(exported.find<std::uint32_t>("general.quantization_version"));
    CHECK(exported.get<std::uint32_t>("general.file_type") == 0);
  }
  GgufFile const other(golden_file("mha_tied.gguf"));
  auto const weights = load_golden("wide_heads");
  CHECK_THROWS_WITH(zeroth::model::save_gguf("unused.gguf", other, weights),
                    contains_text("describe a decoder of another configuration"));
}

TEST_CASE("an exported GGUF file has its matrices in the requested type and its vectors in F32") {
  using zeroth::model::TensorType;
  struct Case {
    TensorType type;
    std::uint32_t file_type;
  };
  for (auto const& [type, file_type] : {Case{TensorType::f16, 1}, Case{TensorType::bf16, 32}}) {
    TemporaryDirectory const folder;
    std::string const out = (folder / "model.gguf").string();
    GgufFile const source(golden_file("gqa_separate.gguf"));
    auto const weights = zeroth::model::load_gguf(source);
    zeroth::model::save_gguf(out, source, weights, type);

    GgufFile const exported(out);
    CHECK(exported.get<std::uint32_t>("general.file_type") == file_type);
    auto const again = zeroth::model::load_gguf(exported);
    CHECK(again.config() == weights.config());
    for (std::size_t p = 0; p < weights.parameters().size(); ++p) {
      auto const& parameter = weights.parameters()[p];
      INFO(parameter.name);
      bool const vector = parameter.role == zeroth::Role::vector;
      CHECK(exported.tensor(parameter.name).type == (vector ? TensorType::f32 : type));
      if (vector) {
        CHECK(same_bits(again.values(p), weights.values(p)));
        continue;
      }
      // Half a step of 11 or 8 significant bits, and of the smallest subnormal half.
      float const step = type == TensorType::f16 ? 0x1p-11F : 0x1p-8F;
      float largest = 0;
      for (std::size_t i = 0; i < again.values(p).size(); ++i) {
        float const value = weights.values(p)[i];
        float const allowed = std::max(std::abs(value) * step, 0x1p-25F);
        largest = std::max(largest, std::abs(again.values(p)[i] - value) / allowed);
      }
      CHECK(largest <= 1);
      CHECK(largest > 0.5F);  // otherwise nothing was rounded
    }
  }
  GgufFile const source(golden_file("mha_tied.gguf"));
  CHECK_THROWS_WITH(zeroth::model::save_gguf("unused.gguf", source, load_golden("mha_tied"), TensorType::q5_0),
                    contains_text("expected F32, F16, BF16, Q8_0 or Q4_0"));
  CHECK_FALSE(std::filesystem::exists("unused.gguf"));
}

TEST_CASE("an exported Hugging Face folder has its files, fields and order of rows") {
  TemporaryDirectory const folder;
  std::filesystem::path const out = folder / "model";
  auto const weights = load_golden("gqa_separate");
  zeroth::model::HuggingFaceExtras extras;
  extras.files["tokenizer.json"] = "{\"tokenizer\": 1}";
  extras.eos = {7};
  zeroth::model::save_hugging_face(out, weights, extras);

  std::ifstream config_file(out / "config.json");
  auto const config = nlohmann::json::parse(config_file);
  CHECK(config["architectures"] == nlohmann::json({"LlamaForCausalLM"}));
  CHECK(config["hidden_size"] == 48);
  CHECK(config["num_key_value_heads"] == 2);
  CHECK(config["head_dim"] == 8);
  CHECK(config["rope_theta"] == 1e5);
  CHECK(config["rms_norm_eps"] == 1e-6);
  CHECK(config["tie_word_embeddings"] == false);
  CHECK(config["torch_dtype"] == "float32");
  CHECK(config["bos_token_id"].is_null());
  CHECK(config["eos_token_id"] == 7);
  CHECK(std::filesystem::file_size(out / "tokenizer.json") == 16);
  CHECK_FALSE(std::filesystem::exists(out / "tokenizer_config.json"));

  SafetensorsFile const file((out / "model.safetensors").string());
  CHECK(file.tensors().size() == weights.parameters().size());
  auto read = [&](std::string const& name) {
    auto const& tensor = file.tensor(name);
    std::vector<float> values(tensor.values);
    file.read(tensor, values);
    return values;
  };
  auto const& tensors = weights.tensors();
  CHECK(same_bits(read("lm_head.weight"), weights.values(tensors.head)));
  CHECK(same_bits(read("model.layers.2.mlp.down_proj.weight"), weights.values(tensors.layers[2].down.weight)));
  CHECK(file.tensor("model.norm.weight").shape == std::vector<std::uint64_t>{48});
  CHECK(file.tensor("model.layers.0.mlp.up_proj.weight").shape == std::vector<std::uint64_t>{88, 48});

  // The second head of K: its elements 0 to 3 are the even ones of the GGUF file's order, 4 to 7 the odd ones.
  auto const key = read("model.layers.1.self_attn.k_proj.weight");
  auto const stored = weights.values(tensors.layers[1].key.weight);
  std::size_t const order[] = {0, 2, 4, 6, 1, 3, 5, 7};
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(same_bits(std::span(key).subspan((8 + i) * 48, 48), stored.subspan((8 + order[i]) * 48, 48)));
}

TEST_CASE("an exported Hugging Face folder has the requested type, in parts if it is large") {
  using zeroth::model::TensorType;
  auto const weights = load_golden("gqa_odd_tied");
  auto const narrowed = [](float value, TensorType type) {
    return type == TensorType::f16 ? zeroth::half_to_float(zeroth::float_to_half(value))
                                   : zeroth::bfloat16_to_float(zeroth::float_to_bfloat16(value));
  };
  for (auto const& [type, dtype, torch] :
       {std::tuple(TensorType::f16, "F16", "float16"), std::tuple(TensorType::bf16, "BF16", "bfloat16")}) {
    TemporaryDirectory const folder;
    std::filesystem::path const out = folder / "model";
    zeroth::model::save_hugging_face(out, weights, {}, type, 50000);
    std::ifstream config_file(out / "config.json");
    CHECK(nlohmann::json::parse(config_file)["torch_dtype"] == torch);
    zeroth::model::SafetensorsCheckpoint const checkpoint(out);
    CHECK(checkpoint.parts().size() > 1);
    CHECK(checkpoint.tensors().size() == weights.parameters().size());
    for (auto const& tensor : checkpoint.tensors()) CHECK(tensor.dtype == dtype);
    auto const& gate = checkpoint.tensor("model.layers.1.mlp.gate_proj.weight");
    std::vector<float> values(gate.values);
    checkpoint.read(gate, values);
    auto const stored = weights.values(weights.tensors().layers[1].gate.weight);
    std::vector<float> expected;
    for (float const value : stored) expected.push_back(narrowed(value, type));
    CHECK(same_bits(values, expected));
  }
  TemporaryDirectory const folder;
  CHECK_THROWS_WITH(zeroth::model::save_hugging_face(folder / "model", weights, {}, TensorType::q8_0),
                    contains_text("expected a type among F32, F16, BF16, found Q8_0"));
  CHECK_FALSE(std::filesystem::exists(folder / "model"));
}

TEST_CASE("several end tokens are written as a list") {
  TemporaryDirectory const folder;
  zeroth::model::HuggingFaceExtras extras;
  extras.eos = {7, 2};
  zeroth::model::save_hugging_face(folder / "model", load_golden("mha_tied"), extras);
  for (char const* name : {"config.json", "generation_config.json"}) {
    std::ifstream file(folder / "model" / name);
    CHECK(nlohmann::json::parse(file).at("eos_token_id") == nlohmann::json({7, 2}));
  }
}

TEST_CASE("a Hugging Face folder gets its name with all files in it, those of others too") {
  TemporaryDirectory const folder;
  auto const weights = load_golden("mha_tied");
  std::filesystem::path const out = folder / "model";
  auto save = [&](std::function<void(zeroth::model::AtomicDirectory const&)> const& add) {
    zeroth::model::save_hugging_face(out, weights, {}, std::nullopt, std::uint64_t{1} << 30, add);
  };
  bool called = false;
  save([&](zeroth::model::AtomicDirectory const& directory) {
    called = true;
    CHECK_FALSE(std::filesystem::exists(out));
    CHECK(std::filesystem::exists(directory.file("model.safetensors")));
    std::ofstream(directory.file("model.gguf")) << "more";
  });
  CHECK(called);
  CHECK(std::filesystem::file_size(out / "model.gguf") == 4);
  // A failure leaves the earlier folder unchanged, and nothing next to it.
  CHECK_THROWS_AS(save([](auto const&) { throw zeroth::InvalidArgument("no"); }), zeroth::InvalidArgument);
  CHECK(std::filesystem::exists(out / "model.gguf"));
  auto const entries = std::filesystem::directory_iterator(folder.path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("a config.json that is taken over keeps what it says, but for the type of the weights") {
  TemporaryDirectory const folder;
  auto const weights = load_golden("mha_tied");
  auto exported = [&](std::string const& name, zeroth::model::HuggingFaceExtras const& extras) {
    zeroth::model::save_hugging_face(folder / name, weights, extras, zeroth::model::TensorType::f16);
    std::ifstream file(folder / name / "config.json");
    return nlohmann::json::parse(file);
  };
  zeroth::model::HuggingFaceExtras extras;
  extras.config_json = R"({"model_type": "llama", "eos_token_id": [1, 2], "dtype": "bfloat16"})";
  extras.files["generation_config.json"] = "{}";
  auto const expected = nlohmann::json::parse(R"({"model_type": "llama", "eos_token_id": [1, 2], "dtype": "float16"})");
  CHECK(exported("five", extras) == expected);
  CHECK(std::filesystem::file_size(folder / "five" / "generation_config.json") == 2);
  extras.config_json = R"({"model_type": "llama"})";
  CHECK(exported("four", extras).at("torch_dtype") == "float16");
  // A head of its own, although config.json ties it.
  auto const separate = load_golden("gqa_separate");
  extras.config_json = R"({"model_type": "llama", "tie_word_embeddings": true})";
  zeroth::model::save_hugging_face(folder / "separate", separate, extras);
  std::ifstream separate_file(folder / "separate" / "config.json");
  CHECK(nlohmann::json::parse(separate_file).at("tie_word_embeddings") == false);
  CHECK(exported("tied", extras).at("tie_word_embeddings") == true);
  extras.config_json = "[]";
  CHECK_THROWS_AS(exported("none", extras), zeroth::InvalidArgument);
  CHECK_FALSE(std::filesystem::exists(folder / "none"));
}

TEST_CASE("weights in Hugging Face's order of rows score the same") {
  // The same model with its Q and K rows in halves: a decoder that rotates i and i + head_dim / 2 must agree.
  for (std::string name : golden_models) {
    auto const weights = load_golden(name);
    auto config = weights.config();
    config.pairing = zeroth::model::RotaryPairing::halves;
    zeroth::model::DecoderWeights halves(config);
    for (auto const& tensor : zeroth::model::hugging_face_tensors(weights.config(), weights.tensors())) {
      auto const from = weights.values(tensor.parameter);
      auto const to = halves.values(tensor.parameter);
      auto const columns = static_cast<std::size_t>(weights.parameters()[tensor.parameter].shape.columns);
      for (std::size_t row = 0; row < from.size() / columns; ++row) {
        std::size_t const source =
            tensor.rotary ? zeroth::model::stored_rotary_row(row, config.head_dim, weights.config().pairing) : row;
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(source * columns), columns,
                    to.begin() + static_cast<std::ptrdiff_t>(row * columns));
      }
    }
    zeroth::model::PackedBatch batch;
    for (GoldenSequence const& sequence : golden_sequences(name)) add_scored(batch, sequence.tokens);
    CpuDecoder adjacent(weights);
    CpuDecoder other(halves);
    auto const expected = score(adjacent, batch);
    auto const found = score(other, batch);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-4));
  }
}
