// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <string>

#include <zeroth/error.hpp>
#include <zeroth/model/load_gguf.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/ops_eigen.hpp>
#include <zeroth/model/tokenizer/from_gguf.hpp>

namespace zeroth::cli {
namespace {

// The architecture first: of a model that is no decoder, the tokenizer would be the wrong thing to complain of.
model::GgufFile open_decoder(std::filesystem::path const& path) {
  model::GgufFile file(model_file(path).string());
  (void)model::read_decoder_config(file);
  return file;
}

}  // namespace

std::filesystem::path model_file(std::filesystem::path const& path) {
  if (!std::filesystem::is_directory(path)) return path;
  std::filesystem::path file = path / "model.gguf";
  if (std::filesystem::exists(file)) return file;
  throw InvalidFile(path.string() + ": expected a GGUF file or a folder with model.gguf, found a folder without; " +
                    "finetune --save gguf writes one");
}

LanguageModel::LanguageModel(std::filesystem::path const& path)
    : file(open_decoder(path)), tokenizer(model::tokenizer_from_gguf(file)), weights(model::load_gguf(file)) {
  if (tokenizer.vocabulary_size() > weights.config().vocabulary)
    throw InvalidFile(file.path() + ": metadata key 'tokenizer.ggml.tokens': expected at most the rows of " +
                      "token_embd.weight, " + std::to_string(weights.config().vocabulary) + ", found " +
                      std::to_string(tokenizer.vocabulary_size()));
}

model::AnyDecoder make_decoder(model::DecoderWeights const& weights, DecoderBackend backend, AnyExecutor executor) {
  if (backend == DecoderBackend::eigen) return model::AnyDecoder(model::Decoder(weights, model::EigenOps(executor)));
  return model::AnyDecoder(model::Decoder(weights, model::CpuOps(executor)));
}

}  // namespace zeroth::cli
