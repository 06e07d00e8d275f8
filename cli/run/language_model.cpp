// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <string>
#include <utility>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/families/published_models.hpp>
#include <zeroth_model/ops/cpu.hpp>
#include <zeroth_model/ops/eigen.hpp>
#include <zeroth_model/weights/random_weights.hpp>
#ifdef ZEROTH_ONEDNN
#include <zeroth_model/ops/onednn.hpp>
#endif
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth_model/tokenizer/sentencepiece.hpp>
#endif

namespace zeroth::cli {

namespace {

model::SentencePieceMaker sentencepiece_maker() {
#ifdef ZEROTH_SENTENCEPIECE
  return model::sentencepiece_tokenizer;
#else
  return {};
#endif
}

model::WeightMemory memory_of(Gpu const* gpu) {
  return gpu == nullptr ? model::WeightMemory{} : gpu->memory();
}

model::DecoderWeights random_weights(FinetuneOptions const& options, Gpu const* gpu) {
  model::DecoderWeights weights(model::published_model(*options.random_model), *options.random_model, options.dtype,
                                memory_of(gpu));
  if (gpu != nullptr)
    gpu->fill_random(weights, options.seed);
  else
    model::fill_random(weights, CpuBackend{}, options.seed);
  return weights;
}

model::Model open_for_run(FinetuneOptions const& options, Gpu const* gpu) {
  if (options.random_model)
    return {model::ModelSource(options.model), random_weights(options, gpu), sentencepiece_maker()};
  return model::open_model(options.model, {.dtype = options.dtype,
                                           .memory = memory_of(gpu),
                                           .as_stored = options.maps_weights() && options.only_reads_weights(),
                                           .maker = sentencepiece_maker(),
                                           .keeps_files = options.save.has_value()});
}

}  // namespace

Tokenizer tokenizer_of(model::ModelSource const& source) {
  return model::load_tokenizer(source, sentencepiece_maker());
}

LanguageModel::LanguageModel(ModelOptions const& options, DataType dtype, std::optional<std::uint32_t> cuda_device,
                             bool as_stored)
    : WeightsHolder{open_gpu(cuda_device)},
      model::Model(model::open_model(
          options.model,
          {.dtype = dtype, .memory = memory_of(gpu.get()), .as_stored = as_stored, .maker = sentencepiece_maker()})) {
  if (options.adapter.empty()) return;
  adapter_files_.emplace(options.adapter);
  load_adapter();
}

LanguageModel::LanguageModel(FinetuneOptions const& options)
    : WeightsHolder{open_gpu(options.cuda_device)}, model::Model(open_for_run(options, gpu.get())) {
  if (options.random_model || options.adapter.empty()) return;
  adapter_files_.emplace(options.adapter);
  load_adapter();
}

void LanguageModel::load_adapter() {
  model::PeftAdapter loaded = model::load_peft(*adapter_files_, weights);
  adapter = std::move(loaded.adapter);
  base_model = std::move(loaded.config.base_model);
}

void LanguageModel::load_again(FinetuneOptions const& options) {
  source.require_unchanged();
  if (adapter_files_) adapter_files_->weights.require_unchanged();
  adapter.reset();
  delta.reset();
  scales.reset();
  if (weights.is_stored()) {
    weights = source.map();
  } else {
    { model::DecoderWeights const given_back = std::move(weights); }
    weights =
        options.random_model ? random_weights(options, gpu.get()) : source.load(options.dtype, memory_of(gpu.get()));
  }
  if (adapter_files_) load_adapter();
}

void LanguageModel::merge() {
  if (delta) weights.read_through(delta->weight_tensors());
  if (scales) weights.read_through(scales->weight_tensors());
  if (!adapter) return;
  if (weights.is_stored()) {
    source.require_unchanged();
    weights = source.load();
  }
  model::merge(*adapter, weights);
  adapter.reset();
}

model::AnyDecoder make_decoder(LanguageModel const& model, ComputeOptions const& options, AnyExecutor executor) {
  if (model.gpu != nullptr) return model.gpu->decoder(model.weights);
  auto of = [&](auto ops) {
    if (model.adapter) return model::AnyDecoder(model::Decoder(model.weights, *model.adapter, std::move(ops)));
    if (model.delta) return model::AnyDecoder(model::Decoder(model.weights, *model.delta, std::move(ops)));
    if (model.scales) return model::AnyDecoder(model::Decoder(model.weights, *model.scales, std::move(ops)));
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
                          ": --backend eigen multiplies only in f32; use cpu or onednn");
  return of(model::EigenOps(executor));
}

}  // namespace zeroth::cli
