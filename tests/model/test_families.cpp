// SPDX-License-Identifier: MIT
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/gguf/export_gguf.hpp"
#include "zeroth_model/io/hugging_face/export_hugging_face.hpp"
#include "zeroth_model/io/hugging_face/load_hugging_face.hpp"
#include "zeroth_model/ops/eigen.hpp"

using namespace zeroth_test;
using zeroth::Point;
using zeroth::model::DecoderWeights;
using zeroth::model::PackedBatch;
using zeroth::model::RotaryScaling;
using zeroth::model::ScoreKind;
using EigenDecoder = zeroth::model::Decoder<zeroth::model::EigenOps>;

namespace {

std::filesystem::path family_folder(std::string const& name) {
  return golden_file("families/" + name);
}

DecoderWeights load_family_gguf(std::string const& name) {
  return zeroth::model::load_gguf(zeroth::model::GgufFile(golden_file("families/" + name + "/model.gguf")));
}

template <class Decoder>
void check_log_probabilities(std::string const& name, DecoderWeights const& weights) {
  Decoder decoder(weights);
  auto const sequences = golden_sequences("families/" + name + "/golden");
  REQUIRE(sequences.size() == 5);
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

template <class Decoder>
void check_lanes(std::string const& name, DecoderWeights const& weights) {
  std::vector<Point> const lanes{{0, 1}, {0, -1}, {3, 1}};
  HashProbe const probe(weights.parameters(), lanes, 1e-2F);
  Decoder decoder(weights);
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("families/" + name + "/golden"))
    add_scored(batch, sequence.tokens);
  auto const found = score(decoder, batch, probe);
  for (std::size_t k = 0; k < lanes.size(); ++k) {
    INFO(name << ", lane " << k);
    DecoderWeights const moved = perturbed(weights, probe, lanes[k]);
    Decoder reference(moved);
    auto const expected = score(reference, batch);
    CHECK(
        std::equal(expected.begin(), expected.end(), found.begin() + static_cast<std::ptrdiff_t>(k * expected.size())));
  }
}

}  // namespace

TEST_CASE("each family of the table has a golden model") {
  std::set<std::string> with_model;
  std::set<std::string> with_gguf;
  for (std::string name : golden_families)
    with_model.insert(zeroth::model::load_hugging_face(family_folder(name)).config().architecture);
  for (std::string name : golden_gguf_families) with_gguf.insert(load_family_gguf(name).config().architecture);
  std::set<std::string_view> names;
  for (zeroth::model::Family const& family : zeroth::model::families) {
    INFO(family.name);
    CHECK(names.insert(family.name).second);
    CHECK(with_model.contains(std::string(family.name)));
    CHECK(with_gguf.contains(std::string(family.name)) == !family.gguf.empty());
  }
}

TEST_CASE("GGUF files of each family score as Hugging Face transformers does") {
  for (std::string name : golden_gguf_families) {
    DecoderWeights const weights = load_family_gguf(name);
    check_log_probabilities<CpuDecoder>(name, weights);
    check_log_probabilities<EigenDecoder>(name, weights);
  }
}

TEST_CASE("Hugging Face folders of each family score as transformers does") {
  for (std::string name : golden_families) {
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    check_log_probabilities<CpuDecoder>(name, weights);
    check_log_probabilities<EigenDecoder>(name, weights);
  }
}

TEST_CASE("GGUF and Hugging Face form of a family hold the same weights") {
  for (std::string name : golden_gguf_families) {
    DecoderWeights const gguf = load_family_gguf(name);
    DecoderWeights const folder = zeroth::model::load_hugging_face(family_folder(name));
    REQUIRE(gguf.parameters().size() == folder.parameters().size());
    auto config = folder.config();
    for (auto const& tensor : zeroth::model::hugging_face_tensors(config, folder.tensors())) {
      zeroth::Parameter const& p = folder.parameters()[tensor.parameter];
      auto const theirs = folder.values(tensor.parameter);
      auto const ours = gguf.values(tensor.parameter);
      std::size_t const columns = p.role == zeroth::Role::vector ? 1 : static_cast<std::size_t>(p.shape.columns);
      bool same = true;
      for (std::size_t i = 0; i < theirs.size(); ++i) {
        std::size_t const row =
            tensor.rotary ? zeroth::model::stored_rotary_row(i / columns, config.head_dim, gguf.config().pairing)
                          : i / columns;
        float const added = tensor.gain ? config.gain_offset : 0.0F;
        same = same && theirs[i] + added == ours[row * columns + i % columns];
      }
      INFO(name << ", " << tensor.name);
      CHECK(same);
    }
  }
}

TEST_CASE("a family saved as a Hugging Face folder comes back to the bit") {
  for (std::string name : golden_families) {
    INFO(name);
    TemporaryDirectory const directory;
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    zeroth::model::save_hugging_face(directory / "model", weights);
    DecoderWeights const again = zeroth::model::load_hugging_face(directory / "model");
    CHECK(again.config() == weights.config());
    for (std::size_t p = 0; p < weights.parameters().size(); ++p) {
      CHECK(again.parameters()[p].name == weights.parameters()[p].name);
      CHECK(std::equal(again.values(p).begin(), again.values(p).end(), weights.values(p).begin()));
    }
  }
}

TEST_CASE("a family saved as GGUF holds what llama.cpp's converter makes of it") {
  for (std::string name : golden_gguf_families) {
    INFO(name);
    TemporaryDirectory const directory;
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    std::string const path = (directory / "model.gguf").string();
    zeroth::model::save_gguf(path, weights, [](zeroth::model::GgufWriter& writer) {
      writer.set("tokenizer.ggml.model", std::string("none"));
    });
    zeroth::model::GgufFile const file(path);
    CHECK(file.get<std::string_view>("tokenizer.ggml.model") == "none");
    DecoderWeights const again = zeroth::model::load_gguf(file);
    DecoderWeights const expected = load_family_gguf(name);
    CHECK(again.config() == expected.config());
    for (std::size_t p = 0; p < expected.parameters().size(); ++p) {
      CHECK(again.parameters()[p].name == expected.parameters()[p].name);
      CHECK(std::equal(again.values(p).begin(), again.values(p).end(), expected.values(p).begin()));
    }
    // Also with the metadata of the file that it came from.
    zeroth::model::save_gguf(path, zeroth::model::GgufFile(golden_file("families/" + name + "/model.gguf")), expected);
    CHECK(zeroth::model::load_gguf(zeroth::model::GgufFile(path)).config() == expected.config());
  }
  TemporaryDirectory const directory;
  auto const opt = zeroth::model::load_hugging_face(family_folder("opt"));
  CHECK_THROWS_WITH(zeroth::model::save_gguf((directory / "opt.gguf").string(), opt, [](auto&) {}),
                    contains_text("GGUF has no form for architecture 'opt'"));
}

TEST_CASE("a family saved as GGUF and that as a Hugging Face folder comes back to the bit") {
  for (std::string name : golden_gguf_families) {
    INFO(name);
    TemporaryDirectory const directory;
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    std::string const path = (directory / "model.gguf").string();
    zeroth::model::save_gguf(path, weights, [](zeroth::model::GgufWriter&) {});
    zeroth::model::save_hugging_face(directory / "model", zeroth::model::load_gguf(zeroth::model::GgufFile(path)));
    DecoderWeights const again = zeroth::model::load_hugging_face(directory / "model");
    CHECK(again.config() == weights.config());
    REQUIRE(again.parameters().size() == weights.parameters().size());
    for (std::size_t p = 0; p < weights.parameters().size(); ++p) {
      INFO(weights.parameters()[p].name);
      CHECK(again.parameters()[p].name == weights.parameters()[p].name);
      CHECK(std::equal(again.values(p).begin(), again.values(p).end(), weights.values(p).begin()));
    }
  }
}

TEST_CASE("biases that llama.cpp does not read are not written as GGUF") {
  DecoderWeights const plain = load_family_gguf("qwen3");
  auto config = plain.config();
  config.query_key_value_bias = config.attention_out_bias = true;
  CHECK_THROWS_WITH(zeroth::model::require_gguf_form(config, "x.gguf"),
                    contains_text("x.gguf: GGUF has no form for biases in architecture 'qwen3'; write safetensors"));
}

TEST_CASE("what llama.cpp assumes of Gemma is not written otherwise as GGUF") {
  auto const refused = [](std::function<void(zeroth::model::DecoderConfig&)> const& change) -> std::string {
    auto config = load_family_gguf("gemma2").config();
    change(config);
    try {
      zeroth::model::require_gguf_form(config, "x.gguf");
    } catch (zeroth::InvalidArgument const& error) {
      return error.what();
    }
    return "accepted";
  };
  using Config = zeroth::model::DecoderConfig;
  CHECK(refused([](Config&) {}) == "accepted");
  CHECK_THAT(refused([](Config& c) {
               c.windowed_layers = {false, true, true};
             }),
             contains_text("these layers with a sliding window"));
  CHECK_THAT(refused([](Config& c) { c.sliding_window = 0; }), contains_text("full attention everywhere"));
  CHECK_THAT(refused([](Config& c) { c.query_scalar = 10; }), contains_text("this scale of attention's scores"));
  CHECK_THAT(refused([](Config& c) { c.attention_soft_cap = 0; }), contains_text("uncapped scores of attention"));
  CHECK_THAT(refused([](Config& c) { c.logit_soft_cap = 0; }), contains_text("uncapped logits"));
  CHECK_THAT(refused([](Config& c) { c.tied_head = false; }), contains_text("a head of its own"));
  // For the model with 46 layers, llama.cpp uses hidden / heads as the query scalar.
  auto const large = [](Config& c) {
    c.layers = 46;
    c.windowed_layers = zeroth::model::windowed_layers_of(46, 2);
  };
  CHECK_THAT(refused(large), contains_text("this scale of attention's scores"));
  CHECK(refused([&](Config& c) {
          large(c);
          c.query_scalar = c.hidden / c.heads;
        }) == "accepted");
}

TEST_CASE("a theta of Gemma 3's layers with a window is kept by GGUF, and rejected if it is not one") {
  TemporaryDirectory const directory;
  std::string const path = (directory / "model.gguf").string();
  auto config = load_family_gguf("gemma3").config();
  REQUIRE(config.local_rope_theta == 1e4);
  auto const saved = [&](double theta) {
    config.local_rope_theta = theta;
    zeroth::model::save_gguf(path, DecoderWeights(config), [&](zeroth::model::GgufWriter& writer) {
      if (theta == 0) writer.set("gemma3.rope.freq_base_swa", 0.0F);
    });
    return zeroth::model::read_decoder_config(zeroth::model::GgufFile(path));
  };
  CHECK(saved(500) == config);
  CHECK_THROWS_WITH(saved(0), contains_text("'gemma3.rope.freq_base_swa': expected more than 0"));
}

TEST_CASE("layers without rotary embeddings that llama.cpp does not assume are not written as GGUF") {
  auto config = load_family_gguf("smollm3").config();
  CHECK_NOTHROW(zeroth::model::require_gguf_form(config, "x.gguf"));
  config.rotary_layers = {true, false, true, false, true};
  CHECK_THROWS_WITH(zeroth::model::require_gguf_form(config, "x.gguf"),
                    contains_text("x.gguf: GGUF has no form for these layers without rotary embeddings"));
}

TEST_CASE("LLaMA-3's scaling is recognised in the factors of a GGUF file") {
  DecoderWeights const gguf = load_family_gguf("llama3");
  REQUIRE(gguf.config().rope_scaling.kind == RotaryScaling::Kind::factors);
  TemporaryDirectory const directory;
  zeroth::model::save_hugging_face(directory / "model", gguf);
  auto const again = zeroth::model::load_hugging_face(directory / "model");
  auto const expected = zeroth::model::load_hugging_face(family_folder("llama3"));
  CHECK(again.config() == expected.config());

  auto config = gguf.config();
  config.rope_scaling.factors[2] = 3;
  CHECK_THROWS_WITH(zeroth::model::hugging_face_config(config), contains_text("rope_freqs.weight"));
}

TEST_CASE("each lane of a probe over each family is plain inference on perturbed weights, to the bit") {
  for (std::string name : golden_families) {
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    check_lanes<CpuDecoder>(name, weights);
    check_lanes<EigenDecoder>(name, weights);
  }
}

TEST_CASE("a sliding window hides what lies further back") {
  DecoderWeights const weights = load_family_gguf("mistral");
  REQUIRE(weights.config().sliding_window == 9);
  CpuDecoder decoder(weights);
  // With two layers a row depends on the last 2 * (9 - 1) rows before it and on no earlier ones.
  Tokens tokens;
  for (std::int32_t i = 0; i < 40; ++i) tokens.push_back(i * 7 % 97);
  auto last_score = [&](Tokens const& changed) {
    PackedBatch batch;
    batch.add_segment(changed);
    batch.request(39, 5);
    return score(decoder, batch)[0];
  };
  double const expected = last_score(tokens);
  for (std::size_t back : {17U, 20U, 39U}) {
    Tokens changed = tokens;
    changed[39 - back] = 96;
    CHECK(last_score(changed) == expected);
  }
  for (std::size_t back : {16U, 9U, 1U}) {
    Tokens changed = tokens;
    changed[39 - back] = 96;
    CHECK(last_score(changed) != expected);
  }
}

TEST_CASE("a sequence that continues token by token scores as the whole one") {
  for (std::string name : golden_families) {
    INFO(name);
    DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder(name));
    std::uint32_t const vocabulary = weights.config().vocabulary;
    GoldenSequence const sequence = golden_sequences("families/" + name + "/golden")[3];
    auto check = [&](auto decoder, double margin) {
      PackedBatch whole;
      whole.add_segment(sequence.tokens);
      for (std::size_t row = 0; row < sequence.tokens.size(); ++row)
        for (std::uint32_t token = 0; token < vocabulary; ++token) whole.request(row, static_cast<std::int32_t>(token));
      auto const expected = score(decoder, whole, ScoreKind::logit);
      std::vector<double> logits(vocabulary);
      for (std::size_t round = 0; round < 2; ++round) {
        decoder.restart();
        std::span<std::int32_t const> left = sequence.tokens;
        // A prompt of 20, then one by one across two blocks of 16 rows, then the rest at once.
        for (std::size_t count = 20; !left.empty(); count = left.size() > 9 ? 1 : left.size()) {
          decoder.next(left.first(count), logits);
          left = left.subspan(count);
          std::size_t const row = sequence.tokens.size() - left.size() - 1;
          for (std::uint32_t t = 0; t < vocabulary; t += 7)
            CHECK(logits[t] == Approx(expected[row * vocabulary + t]).margin(margin));
          if (round == 1) static_cast<void>(score(decoder, whole));  // does not disturb the sequence
        }
      }
    };
    check(CpuDecoder(weights), 0);
    check(EigenDecoder(weights), 1e-4);
  }
}

TEST_CASE("a sequence that cannot continue is left unchanged") {
  DecoderWeights const weights = zeroth::model::load_hugging_face(family_folder("opt"));
  CpuDecoder decoder(weights);
  std::vector<double> first(97), second(97), wrong(96);
  decoder.next(Tokens{1, 2, 3}, first);
  CHECK_THROWS_WITH(decoder.next(Tokens{}, first), contains_text("expected at least one token"));
  CHECK_THROWS_WITH(decoder.next(Tokens{97}, first), contains_text("token 97 is outside the vocabulary of 97"));
  CHECK_THROWS_WITH(decoder.next(Tokens{1}, wrong), contains_text("must have 97 elements, got 96"));
  CHECK_THROWS_WITH(decoder.next(Tokens(78, 1), first), contains_text("81 tokens is longer than the model's context"));
  decoder.next(Tokens{4}, first);
  decoder.restart();
  decoder.next(Tokens{1, 2, 3, 4}, second);
  CHECK(first == second);
}
