// SPDX-License-Identifier: MIT
// The decoder of a GGUF file: its configuration and the shapes of its tensors.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth_model/io/gguf/load_gguf.hpp>

#include "fuzz_target.hpp"
#include "gguf_bytes.hpp"

namespace zeroth_fuzz {

using namespace zeroth::model;

bool run(Input input) {
  return reads_or_refuses([&] {
    const GgufFile file(MappedFile::in_memory("input.gguf", input));
    const DecoderWeights weights = load_gguf(file);
    std::size_t bytes = 0;
    for (const zeroth::Parameter& parameter : weights.parameters()) bytes += 4 * parameter.size();
    require(bytes <= weights.memory().size(), "the tensors do not fit the memory");
    const DecoderWeights mapped = map_gguf(file);
    for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
      // From inside a block on, over its end.
      const std::uint64_t size = weights.parameters()[i].size();
      const std::uint64_t first = size > 300 ? 5 : 0;
      std::vector<float> of_stored(static_cast<std::size_t>(std::min<std::uint64_t>(size - first, 290)));
      std::vector<float> of_numbers(of_stored.size());
      mapped.read(i, first, of_stored);
      weights.read(i, first, of_numbers);
      require(std::memcmp(of_stored.data(), of_numbers.data(), of_stored.size() * sizeof(float)) == 0,
              "values held as stored differ from those of loaded weights");
    }
    require(weights.config().layers > 0 && weights.config().vocabulary > 0, "a decoder has no layer or no token");
  });
}

std::vector<std::string> seeds() {
  using namespace zeroth_test::gguf_types;
  struct Entry {
    std::string_view key;
    std::uint32_t value;
  };
  DecoderConfig config;
  config.layers = 1;
  config.hidden = 4;
  config.feed_forward = 3;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 2;
  config.vocabulary = 5;
  config.context_length = 16;
  const auto file = [&](const std::vector<Entry>& more, bool rotary_factors) {
    std::vector<TensorSpec> specs = tensor_specs(config);
    if (rotary_factors) specs.push_back({"rope_freqs.weight", zeroth::Role::vector, {1, config.head_dim / 2}});
    const std::string prefix = config.architecture + ".";
    zeroth_test::GgufBytes bytes;
    bytes.header(specs.size(), 9 + more.size()).string("general.architecture", config.architecture);
    bytes.scalar(prefix + "rope.freq_base", t_float32, 1e4F);
    bytes.scalar(prefix + "attention.layer_norm_rms_epsilon", t_float32, 1e-5F);
    std::vector<Entry> entries{{"block_count", config.layers},
                               {"embedding_length", config.hidden},
                               {"feed_forward_length", config.feed_forward},
                               {"attention.head_count", config.heads},
                               {"attention.head_count_kv", config.kv_heads},
                               {"context_length", config.context_length}};
    entries.insert(entries.end(), more.begin(), more.end());
    for (const Entry& entry : entries) bytes.scalar(prefix + std::string(entry.key), t_uint32, entry.value);
    std::uint64_t offset = 0;
    for (const TensorSpec& spec : specs) {
      std::vector<std::uint64_t> dims{spec.shape.columns};
      if (spec.role != zeroth::Role::vector) dims.push_back(spec.shape.rows);
      bytes.tensor(spec.name, dims, static_cast<std::uint32_t>(TensorType::f32), offset);
      offset += (4 * spec.shape.size() + 31) / 32 * 32;
    }
    return bytes.pad().data() + std::string(offset, '\x3c');
  };
  std::vector<std::string> files{
      file({{"attention.sliding_window", 4}, {"vocab_size", 5}, {"rope.dimension_count", 2}}, false),
      file({{"attention.key_length", 2}, {"attention.value_length", 2}, {"expert_count", 0}}, true)};
  config.architecture = "qwen2";
  config.query_key_value_bias = true;
  config.tied_head = true;
  files.push_back(file({}, false));
  config.architecture = "qwen3";
  config.query_key_value_bias = false;
  files.push_back(file({}, false));
  config.architecture = "phi3";
  config.heads = 1;
  config.head_dim = 4;
  files.push_back(file({{"rope.dimension_count", 2}, {"attention.sliding_window", 3}}, false));
  config.architecture = "gemma2";
  files.push_back(file({{"attention.sliding_window", 3}, {"attention.sliding_window_pattern", 3}}, false));
  return files;
}

}  // namespace zeroth_fuzz
