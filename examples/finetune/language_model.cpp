// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <string>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/model/load_peft.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/ops_eigen.hpp>
#include <zeroth/model/tokenizer/load_tokenizer.hpp>
#ifdef ZEROTH_ONEDNN
#include <zeroth/model/ops_onednn.hpp>
#endif
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

LanguageModel::LanguageModel(ModelOptions const& options, DataType dtype)
    : source(options.model), tokenizer(tokenizer_of(source)), weights(source.load(dtype)) {
  if (tokenizer.vocabulary_size() > weights.config().vocabulary)
    throw InvalidFile(source.path() + ": tokenizer: expected at most as many tokens as the embedding has rows, " +
                      std::to_string(weights.config().vocabulary) + ", found " +
                      std::to_string(tokenizer.vocabulary_size()));
  if (options.adapter.empty()) return;
  model::PeftAdapter loaded = model::load_peft(options.adapter, weights);
  adapter = std::move(loaded.adapter);
  base_model = std::move(loaded.config.base_model);
}

void LanguageModel::merge_adapter() {
  if (adapter) model::merge(*adapter, weights);
  adapter.reset();
}

model::AnyDecoder make_decoder(LanguageModel const& model, ComputeOptions const& options, AnyExecutor executor) {
  auto of = [&](auto ops) {
    if (model.adapter) return model::AnyDecoder(model::Decoder(model.weights, *model.adapter, std::move(ops)));
    return model::AnyDecoder(model::Decoder(model.weights, std::move(ops)));
  };
  DataType const compute = options.compute_dtype.value_or(DataType::f32);
  if (options.backend == DecoderBackend::onednn) {
#ifdef ZEROTH_ONEDNN
    return of(model::OneDnnOps(executor, compute));
#else
    throw InvalidArgument("--backend onednn: this program was built without oneDNN (cmake -DZEROTH_ONEDNN=ON)");
#endif
  }
  if (options.backend == DecoderBackend::cpu) return of(model::CpuOps(executor, best_instruction_set(), compute));
  if (compute != DataType::f32)
    throw InvalidArgument("--compute-dtype " + std::string(to_string(compute)) +
                          ": --backend eigen multiplies in f32 alone, expected cpu or onednn");
  return of(model::EigenOps(executor));
}

}  // namespace zeroth::cli
