// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/model_source.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

#include "commands.hpp"
#include "io/json.hpp"
#include "io/paths.hpp"
#include "io/standard_streams.hpp"
#include "io/text.hpp"

namespace zeroth::cli {
namespace {

std::uint64_t parameters_of(model::DecoderConfig const& config) {
  std::uint64_t count = 0;
  for (model::TensorSpec const& spec : model::tensor_specs(config)) count += spec.shape.size();
  return count;
}

/// Bytes of all weights in memory, with matrices stored as `dtype`.
std::uint64_t weights_bytes_of(model::DecoderConfig const& config, DataType dtype) {
  std::uint64_t bytes = 0;
  for (model::TensorSpec const& spec : model::tensor_specs(config))
    bytes += spec.shape.size() * size_of(model::DecoderWeights::dtype_of(spec.role, dtype));
  return bytes;
}

/// Bytes of the decoder's workspace per token of a batch, for both points of a probe together: the residual stream, the
/// normalized input, what is added to the stream, queries, keys, values and the two halves of the MLP, all f32.
std::uint64_t activation_bytes_per_token(model::DecoderConfig const& config) {
  std::uint64_t const query = std::uint64_t{config.heads} * config.head_dim;
  std::uint64_t const key = std::uint64_t{config.kv_heads} * config.head_dim;
  std::uint64_t const hidden = config.hidden;
  std::uint64_t const values =
      2 * hidden + std::max(hidden, query) + query + 2 * key + 2 * std::uint64_t{config.feed_forward};
  return 2 * values * sizeof(float);
}

constexpr std::uint64_t example_tokens = 1024;

Json describe(model::ModelSource const& source) {
  model::DecoderConfig const& config = source.config();
  std::uint64_t const weights = weights_bytes_of(config, DataType::f32);
  std::uint64_t const weights_16_bit = weights_bytes_of(config, DataType::bf16);
  std::uint64_t const per_token = activation_bytes_per_token(config);
  Json tensors = Json::array();
  std::uint64_t file_bytes = 0;
  for (model::StoredTensor const& tensor : source.tensors()) {
    file_bytes += tensor.bytes;
    tensors.push_back(
        Json{{"name", tensor.name}, {"shape", tensor.shape}, {"dtype", tensor.dtype}, {"bytes", tensor.bytes}});
  }
  model::GgufFile const* const gguf = source.gguf();
  return Json{{"path", path_text(source.path())},
              {"format", source.format()},
              {"format_version", gguf != nullptr ? Json(gguf->version()) : Json()},
              {"files", gguf != nullptr ? gguf->parts() : source.folder()->checkpoint.parts().size()},
              {"architecture", config.architecture},
              {"layers", config.layers},
              {"hidden", config.hidden},
              {"feed_forward", config.feed_forward},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"head_dim", config.head_dim},
              {"vocabulary", config.vocabulary},
              {"context_length", config.context_length},
              {"rope_theta", config.rope_theta},
              {"norm_epsilon", config.norm_epsilon},
              {"tied_head", config.tied_head},
              {"parameters", parameters_of(config)},
              {"tensor_bytes", file_bytes},
              {"finetuning_memory",
               {{"weights_bytes", weights},
                {"activation_bytes_per_token", per_token},
                {"example_tokens", example_tokens},
                {"example_bytes", weights + example_tokens * per_token},
                {"example_bytes_mapped", file_bytes + example_tokens * per_token},
                {"weights_bytes_16_bit", weights_16_bit},
                {"example_bytes_16_bit", weights_16_bit + example_tokens * per_token}}},
              {"tensors", std::move(tensors)}};
}

/// `text` padded with spaces to `width` columns.
std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

constexpr std::size_t model_fact_width = 18;

void print_tensors(std::vector<model::StoredTensor> const& tensors) {
  std::size_t longest = 6;
  std::vector<std::string> names;
  for (model::StoredTensor const& tensor : tensors) {
    names.push_back(model::replace_unprintable(tensor.name));
    longest = std::max(longest, names.back().size());
  }
  auto const row = [&](std::string const& name, std::string const& dtype, std::string const& shape) {
    print(padded(name, longest + 2) + padded(dtype, 8) + shape + "\n");
  };
  print("\n");
  row("tensor", "dtype", "shape");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::string shape;
    for (std::uint64_t size : tensors[i].shape) shape += (shape.empty() ? "" : " x ") + std::to_string(size);
    row(names[i], tensors[i].dtype, shape);
  }
}

void print_model(Json const& model, model::ModelSource const& source) {
  model::DecoderConfig const& config = source.config();
  auto number = [&](char const* field) { return std::to_string(model.at(field).get<std::uint64_t>()); };
  print_fact(model_fact_width, "model", source.path());
  std::string format = model.at("format").get<std::string>();
  if (!model.at("format_version").is_null()) format += " version " + number("format_version");
  if (model.at("files") != 1) format += " in " + number("files") + " files";
  print_fact(model_fact_width, "format", format);
  print_fact(model_fact_width, "architecture", config.architecture);
  print_fact(model_fact_width, "layers", number("layers"));
  print_fact(model_fact_width, "hidden", number("hidden"));
  print_fact(model_fact_width, "feed forward", number("feed_forward"));
  print_fact(model_fact_width, "heads",
             number("heads") + " of " + number("head_dim") + ", " + number("kv_heads") + " for keys and values");
  print_fact(model_fact_width, "vocabulary",
             number("vocabulary") + (config.tied_head ? ", head tied to the embedding" : ""));
  print_fact(model_fact_width, "context", number("context_length"));
  print_fact(model_fact_width, "parameters", number("parameters"));
  auto const bytes = [&](char const* field) {
    return human_bytes(model.at("finetuning_memory").at(field).get<std::uint64_t>());
  };
  print_fact(model_fact_width, "weights",
             human_bytes(model.at("tensor_bytes").get<std::uint64_t>()) + " on disk, " + bytes("weights_bytes") +
                 " in memory (" + bytes("weights_bytes_16_bit") + " with --dtype bf16 or f16)");
  print_fact(model_fact_width, "memory of a step",
             bytes("weights_bytes") + " and " + bytes("activation_bytes_per_token") +
                 " per token of a batch: " + bytes("example_bytes") + " (" + bytes("example_bytes_16_bit") + ") with " +
                 std::to_string(example_tokens) + " tokens");
  print_fact(model_fact_width, "beside weights",
             bytes("example_bytes_mapped") + " with as many, if an adapter, a delta or scales are tuned: the weights " +
                 "stay in their files, mapped");
  print_tensors(source.tensors());
}

}  // namespace

int run(InspectOptions const& options) {
  model::ModelSource const source(options.model);
  Json const model = describe(source);
  if (options.json)
    print(json_text(model, 2) + "\n");
  else
    print_model(model, source);
  return 0;
}

}  // namespace zeroth::cli
