// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

#include <zeroth/model/decoder.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/gguf.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

namespace zeroth::cli {

using Ops = model::CpuOps;
using CpuDecoder = model::Decoder<Ops>;

/// The GGUF file that a --model option means: the file itself, or model.gguf in the folder of a fine-tuned model.
/// @throws InvalidFile if the folder holds no such file.
[[nodiscard]] std::filesystem::path model_file(std::filesystem::path const& path);

/// A model in memory, and the file it came from, mapped, for what a saved model takes over from it.
struct LanguageModel {
  model::GgufFile file;
  model::BytePairTokenizer tokenizer;
  model::DecoderWeights weights;

  /// @param path see model_file
  /// @throws InvalidFile naming file, field or tensor, if the file is not a model that can be run.
  explicit LanguageModel(std::filesystem::path const& path);
};

}  // namespace zeroth::cli
