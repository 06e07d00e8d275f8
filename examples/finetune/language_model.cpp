// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <string>

#include <zeroth/error.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/ops_eigen.hpp>
#include <zeroth/model/tokenizer/load_tokenizer.hpp>
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth/model/tokenizer/sentencepiece.hpp>
#endif

namespace zeroth::cli {

Tokenizer tokenizer_of(ModelSource const& source) {
  model::SentencePieceMaker maker;
#ifdef ZEROTH_SENTENCEPIECE
  maker = model::sentencepiece_tokenizer;
#endif
  if (source.gguf() != nullptr) return model::load_tokenizer(*source.gguf(), maker);
  return model::load_tokenizer(source.folder()->path, maker);
}

LanguageModel::LanguageModel(std::filesystem::path const& path, DataType dtype)
    : source(path), tokenizer(tokenizer_of(source)), weights(source.load(dtype)) {
  if (tokenizer.vocabulary_size() > weights.config().vocabulary)
    throw InvalidFile(source.path() + ": tokenizer: expected at most as many tokens as the embedding has rows, " +
                      std::to_string(weights.config().vocabulary) + ", found " +
                      std::to_string(tokenizer.vocabulary_size()));
}

model::AnyDecoder make_decoder(model::DecoderWeights const& weights, DecoderBackend backend, AnyExecutor executor) {
  if (backend == DecoderBackend::eigen) return model::AnyDecoder(model::Decoder(weights, model::EigenOps(executor)));
  return model::AnyDecoder(model::Decoder(weights, model::CpuOps(executor)));
}

}  // namespace zeroth::cli
