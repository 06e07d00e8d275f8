// SPDX-License-Identifier: MIT
#include <functional>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"

using namespace zeroth_test;
using zeroth::model::DecoderConfig;
using zeroth::model::GgufFile;
using zeroth::model::GgufTensor;
using zeroth::model::GgufWriter;
using zeroth::model::RotaryPairing;

namespace {

struct Change {
  std::function<void(GgufWriter&)> metadata = [](GgufWriter&) {};
  std::string without;              ///< tensor to leave out
  std::string reshaped;             ///< tensor to give the sizes `dims`
  std::vector<std::uint64_t> dims;  ///< fastest first
  std::string added;                ///< tensor to add, with one value
};

/// The message of loading a golden model after a change to it.
std::string loaded(Change const& change) {
  TemporaryDirectory const folder;
  std::string const path = (folder / "changed.gguf").string();
  GgufFile const source(golden_file("gqa_separate.gguf"));
  GgufWriter writer(path);
  writer.copy_metadata(source);
  change.metadata(writer);
  auto dims = [&](GgufTensor const& t) { return t.name == change.reshaped ? change.dims : t.dims; };
  for (GgufTensor const& t : source.tensors())
    if (t.name != change.without) writer.add_tensor(t.name, dims(t));
  if (!change.added.empty()) writer.add_tensor(change.added, std::vector<std::uint64_t>{1});
  for (GgufTensor const& t : source.tensors()) {
    if (t.name == change.without) continue;
    std::size_t size = 1;
    for (std::uint64_t d : dims(t)) size *= d;
    writer.write(t.name, std::vector<float>(size, 0.5F));
  }
  if (!change.added.empty()) writer.write(change.added, std::vector<float>{1});
  writer.commit();
  std::string result = "accepted";
  try {
    static_cast<void>(zeroth::model::load_gguf(GgufFile(path)));
  } catch (zeroth::InvalidFile const& error) {
    result = error.what();
    CHECK(result.starts_with(path + ": "));
    result.erase(0, path.size() + 2);
  }
  return result;
}

template <class T>
Change with(std::string const& key, T value) {
  Change change;
  change.metadata = [key, value](GgufWriter& writer) { writer.set(key, value); };
  return change;
}

Change without_key(std::string const& key) {
  Change change;
  change.metadata = [key](GgufWriter& writer) { writer.erase(key); };
  return change;
}

}  // namespace

TEST_CASE("the configuration of a decoder is read from GGUF metadata") {
  DecoderConfig const config = zeroth::model::read_decoder_config(GgufFile(golden_file("gqa_separate.gguf")));
  DecoderConfig expected;
  expected.layers = 3;
  expected.hidden = 48;
  expected.feed_forward = 88;
  expected.heads = 6;
  expected.kv_heads = 2;
  expected.head_dim = 8;
  expected.vocabulary = 301;
  expected.context_length = 128;
  expected.rope_theta = 1e5;
  expected.norm_epsilon = 1e-6F;
  expected.tied_head = false;
  expected.pairing = RotaryPairing::adjacent;
  CHECK(config == expected);
  CHECK(load_golden("wide_heads").config().head_dim == 16);
  CHECK(load_golden("gqa_odd_tied").config().tied_head);
}

TEST_CASE("weights lie in one allocation under their GGUF names and roles") {
  auto const weights = load_golden("mha_tied");
  auto const& parameters = weights.parameters();
  REQUIRE(parameters.size() == 2 + 2 * 9);
  CHECK(weights.tensors().head == weights.tensors().embedding);
  CHECK(parameters[weights.tensors().embedding].role == zeroth::Role::embedding);
  CHECK(parameters[parameters.index_of("blk.1.ffn_norm.weight")].role == zeroth::Role::vector);
  CHECK(parameters[parameters.index_of("blk.1.ffn_down.weight")].role == zeroth::Role::matrix);
  CHECK(parameters[parameters.index_of("blk.1.ffn_down.weight")].shape == zeroth::Shape{48, 88});
  auto const separate = load_golden("gqa_separate");
  CHECK(separate.parameters()[separate.tensors().head].role == zeroth::Role::head);
  CHECK(separate.parameters()[separate.tensors().head].name == "output.weight");

  auto const memory = weights.memory();
  CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 4096 == 0);
  for (zeroth::Parameter const& p : parameters) {
    auto const* const first = static_cast<std::byte const*>(p.data);
    CHECK(first >= memory.data());
    CHECK(first + p.bytes() <= memory.data() + memory.size());
  }

  GgufFile const file(golden_file("quantized.gguf"));
  auto const quantized = zeroth::model::load_gguf(file);
  for (std::size_t i = 0; i < quantized.parameters().size(); ++i) {
    std::vector<float> values(quantized.values(i).size());
    file.read(file.tensor(quantized.parameters()[i].name), values);
    CHECK(std::equal(values.begin(), values.end(), quantized.values(i).begin()));
  }
}

TEST_CASE("a missing, misshapen or unknown tensor is rejected by name") {
  CHECK(loaded({}) == "accepted");
  Change missing;
  missing.without = "blk.1.ffn_up.weight";
  CHECK_THAT(loaded(missing), contains_text("tensor 'blk.1.ffn_up.weight' is missing"));
  Change head;
  head.without = "output.weight";
  CHECK(loaded(head) == "accepted");  // the head is then tied
  Change turned;
  turned.reshaped = "blk.2.attn_k.weight";
  turned.dims = {16, 48};
  CHECK(loaded(turned) == "tensor 'blk.2.attn_k.weight': expected 16 x 48, found 48 x 16");
  turned.dims = {48, 4, 4};
  CHECK(loaded(turned) == "tensor 'blk.2.attn_k.weight': expected 16 x 48, found 3 dimensions");
  turned.reshaped = "blk.0.attn_norm.weight";
  turned.dims = {47};
  CHECK(loaded(turned) == "tensor 'blk.0.attn_norm.weight': expected 1 x 48, found 1 x 47");
  Change bias;
  bias.added = "blk.0.attn_q.bias";
  CHECK(loaded(bias) == "tensor 'blk.0.attn_q.bias': expected 1 x 48, found 1 x 1");
  bias.added = "rope_freqs.weight";
  CHECK(loaded(bias) == "tensor 'rope_freqs.weight': expected 1 x 4, found 1 x 1");
  bias.added = "blk.0.attn_q_norm.weight";
  CHECK_THAT(loaded(bias), contains_text("tensor 'blk.0.attn_q_norm.weight' is not part of a decoder of architecture"));
}

TEST_CASE("what the decoder would compute wrongly is rejected by key") {
  using std::string;
  CHECK_THAT(loaded(with("general.architecture", string("gpt2"))),
             contains_text("metadata key 'general.architecture': expected one of 'llama', 'qwen2'") &&
                 contains_text(", found 'gpt2'"));
  CHECK_THAT(loaded(with("llama.rope.scaling.type", string("yarn"))), contains_text("found 'yarn'"));
  CHECK(loaded(with("llama.rope.scaling.type", string("none"))) == "accepted");
  CHECK(loaded(with("llama.rope.scaling.factor", 2.0F)) == "accepted");
  CHECK_THAT(loaded(with("llama.rope.scaling.factor", -2.0F)), contains_text("rope_scaling.factor must be > 0"));
  CHECK_THAT(loaded(with("llama.expert_count", std::uint32_t{8})), contains_text("expected 0, found 8"));
  CHECK_THAT(loaded(with("llama.attention.temperature_length", std::uint32_t{64})),
             contains_text("metadata key 'llama.attention.temperature_length': this feature is not supported"));
  CHECK_THAT(loaded(with("llama.rope.dimension_count", std::uint32_t{4})),
             contains_text("expected the size of a head, 8, found 4"));
  CHECK_THAT(loaded(with("llama.vocab_size", std::uint32_t{300})), contains_text("301, found 300"));
  CHECK(loaded(without_key("llama.vocab_size")) == "accepted");
  CHECK_THAT(loaded(without_key("llama.block_count")), contains_text("'llama.block_count'"));
  CHECK(loaded(without_key("llama.rope.freq_base")) == "accepted");
}

TEST_CASE("rotary scaling and sliding windows are read from GGUF metadata") {
  auto config_with = [](Change const& change) {
    TemporaryDirectory const folder;
    std::string const path = (folder / "changed.gguf").string();
    GgufFile const source(golden_file("gqa_separate.gguf"));
    GgufWriter writer(path);
    writer.copy_metadata(source);
    change.metadata(writer);
    for (GgufTensor const& t : source.tensors()) writer.add_tensor(t.name, t.dims);
    for (GgufTensor const& t : source.tensors()) writer.write(t.name, std::vector<float>(t.values, 0.5F));
    writer.commit();
    return zeroth::model::read_decoder_config(GgufFile(path));
  };
  using Kind = zeroth::model::RotaryScaling::Kind;
  CHECK(config_with({}).rope_scaling.kind == Kind::none);
  // As in llama.cpp: a factor without a type is a linear one.
  for (std::string const key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
    auto const scaling = config_with(with(key, 4.0F)).rope_scaling;
    CHECK(scaling.kind == Kind::linear);
    CHECK(scaling.factor == 4);
  }
  Change none = with("llama.rope.scaling.factor", 4.0F);
  none.metadata = [](GgufWriter& writer) {
    writer.set("llama.rope.scaling.factor", 4.0F);
    writer.set("llama.rope.scaling.type", std::string("none"));
  };
  CHECK(config_with(none).rope_scaling == zeroth::model::RotaryScaling{});
  DecoderConfig const window = config_with(with("llama.attention.sliding_window", std::uint32_t{64}));
  CHECK(window.sliding_window == 64);
  CHECK(window.architecture == "mistral");
}

TEST_CASE("LLaMA-3 slows waves longer than the original context and blends towards the short ones") {
  zeroth::model::RotaryScaling scaling;
  scaling.kind = zeroth::model::RotaryScaling::Kind::llama3;
  scaling.factor = 8;
  scaling.original_context = 8192;
  double const turn = 2 * 3.141592653589793;
  CHECK(zeroth::model::rotary_divisor(scaling, 0, turn / 100) == 1);
  CHECK(zeroth::model::rotary_divisor(scaling, 0, turn / 2047) == 1);
  CHECK(zeroth::model::rotary_divisor(scaling, 0, turn / 8193) == 8);
  // 8192 / 4096 = 2 rotations, a third of the way from 1 to 4: 1 / ((2 / 3) / 8 + 1 / 3) = 2.4.
  CHECK(zeroth::model::rotary_divisor(scaling, 0, turn / 4096) == Approx(2.4));
  auto const frequencies = zeroth::model::rotary_frequencies(4, 1e8, scaling);
  CHECK(frequencies[0] == 1);
  CHECK(frequencies[1] == Approx(1e-4 / 8));
}

TEST_CASE("a configuration out of range is rejected by field") {
  DecoderConfig good;
  good.layers = good.hidden = good.feed_forward = good.heads = good.kv_heads = good.vocabulary = good.context_length =
      good.head_dim = 2;
  auto refused = [&](auto change) {
    DecoderConfig config = good;
    change(config);
    try {
      config.check("model.gguf");
    } catch (zeroth::InvalidFile const& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(refused([](DecoderConfig&) {}) == "accepted");
  CHECK(refused([](DecoderConfig& c) { c.hidden = 0; }) == "model.gguf: hidden must be in [1, 2^24], found 0");
  CHECK(refused([](DecoderConfig& c) { c.layers = 1U << 30; }) ==
        "model.gguf: layers must be in [1, 2^24], found 1073741824");
  CHECK(refused([](DecoderConfig& c) { c.kv_heads = 3; }) ==
        "model.gguf: heads must be a multiple of kv_heads, found 2 and 3");
  CHECK(refused([](DecoderConfig& c) { c.head_dim = 3; }) ==
        "model.gguf: head_dim must be even for rotary embeddings, found 3");
  CHECK(refused([](DecoderConfig& c) {
          c.rotary_layers = {true, false, true};
        }) == "model.gguf: rotary_layers must be empty or have 2 elements, found 3");
  CHECK(refused([](DecoderConfig& c) { c.windowed_layers = {false}; }) ==
        "model.gguf: windowed_layers must be empty or have 2 elements, found 1");
  for (auto const& change : std::vector<std::function<void(DecoderConfig&)>>{
           [](DecoderConfig& c) { c.query_scalar = -1; }, [](DecoderConfig& c) { c.attention_soft_cap = -1; },
           [](DecoderConfig& c) { c.logit_soft_cap = std::nanf(""); }})
    CHECK_THAT(refused(change), contains_text("must be >= 0 and finite, found"));
  CHECK(refused([](DecoderConfig& c) { c.rotary_dim = 4; }) ==
        "model.gguf: rotary_dim must be even and at most head_dim, 2, found 4");
  CHECK(refused([](DecoderConfig& c) {
          c.architecture = "phi3";
          c.query_key_value_bias = true;
        }) == "model.gguf: query_key_value_bias must be false where queries, keys and values are one tensor");
  CHECK(refused([](DecoderConfig& c) { c.rope_theta = -1; }).starts_with("model.gguf: rope_theta must be > 0"));
  CHECK_THAT(refused([](DecoderConfig& c) { c.architecture = "gemma"; }),
             contains_text("model.gguf: architecture 'gemma' is not supported; known: 'llama', 'mistral', 'qwen2'") &&
                 contains_text("(SmolLM 1 and 2 and LLaMA 1 to 3 are 'llama')"));
  using Kind = zeroth::model::RotaryScaling::Kind;
  CHECK(refused([](DecoderConfig& c) { c.rope_scaling.kind = Kind::factors; }) ==
        "model.gguf: rope_scaling.factors must have 1 elements, found 0");
  CHECK(refused([](DecoderConfig& c) {
          c.rope_scaling.kind = Kind::factors;
          c.rope_scaling.factors = {0.0F};
        }).starts_with("model.gguf: rope_scaling.factors must be > 0"));
  CHECK(refused([](DecoderConfig& c) { c.rope_scaling.kind = Kind::llama3; }) ==
        "model.gguf: rope_scaling.original_context must be > 0, found 0");
  CHECK(refused([](DecoderConfig& c) {
          c.rope_scaling.kind = Kind::llama3;
          c.rope_scaling.original_context = 8;
          c.rope_scaling.high_frequency_factor = 1;
        }).starts_with("model.gguf: rope_scaling: expected 0 < low_frequency_factor < high_frequency_factor"));
  CHECK(refused([](DecoderConfig& c) { c.norm_epsilon = 0; }).starts_with("model.gguf: norm_epsilon must be > 0"));
}
