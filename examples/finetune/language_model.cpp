// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <string>
#include <utility>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/error.hpp>
#include <zeroth/model/load_peft.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/ops_eigen.hpp>
#include <zeroth/model/published_models.hpp>
#include <zeroth/model/random_weights.hpp>
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

namespace {

model::WeightMemory memory_of(Gpu const* gpu) {
  return gpu == nullptr ? model::WeightMemory{} : gpu->memory();
}

}  // namespace

LanguageModel::LanguageModel(ModelSource opened, std::shared_ptr<Gpu const> device, model::DecoderWeights loaded)
    : gpu(std::move(device)), source(std::move(opened)), tokenizer(tokenizer_of(source)), weights(std::move(loaded)) {
  check_vocabulary();
}

LanguageModel::LanguageModel(ModelOptions const& options, DataType dtype, std::optional<std::uint32_t> cuda_device)
    : gpu(open_gpu(cuda_device)),
      source(options.model),
      tokenizer(tokenizer_of(source)),
      weights(source.load(dtype, memory_of(gpu.get()))) {
  check_vocabulary();
  if (options.adapter.empty()) return;
  model::PeftAdapter loaded = model::load_peft(options.adapter, weights);
  adapter = std::move(loaded.adapter);
  base_model = std::move(loaded.config.base_model);
}

LanguageModel::LanguageModel(FinetuneOptions const& options)
    : LanguageModel(options.random_model ? random(options)
                                         : LanguageModel(options, options.dtype, options.cuda_device)) {}

LanguageModel LanguageModel::random(FinetuneOptions const& options) {
  std::shared_ptr<Gpu const> const gpu = open_gpu(options.cuda_device);
  model::DecoderWeights weights(model::published_model(*options.random_model), *options.random_model, options.dtype,
                                memory_of(gpu.get()));
  if (gpu != nullptr)
    gpu->fill_random(weights, options.seed);
  else
    model::fill_random(weights, CpuBackend{}, options.seed);
  return {ModelSource(options.model), gpu, std::move(weights)};
}

void LanguageModel::check_vocabulary() const {
  if (tokenizer.vocabulary_size() > weights.config().vocabulary)
    throw InvalidFile(source.path() + ": tokenizer: expected at most as many tokens as the embedding has rows, " +
                      std::to_string(weights.config().vocabulary) + ", found " +
                      std::to_string(tokenizer.vocabulary_size()));
}

void LanguageModel::merge_adapter() {
  if (adapter) model::merge(*adapter, weights);
  adapter.reset();
}

model::AnyDecoder make_decoder(LanguageModel const& model, ComputeOptions const& options, AnyExecutor executor) {
  if (model.gpu != nullptr) return model.gpu->decoder(model.weights);
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
