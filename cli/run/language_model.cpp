// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <filesystem>
#include <string>
#include <utility>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/families/published_models.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/peft/load_peft.hpp>
#include <zeroth_model/ops/cpu.hpp>
#include <zeroth_model/ops/eigen.hpp>
#include <zeroth_model/tokenizer/end_tokens.hpp>
#include <zeroth_model/tokenizer/load_tokenizer.hpp>
#include <zeroth_model/weights/random_weights.hpp>
#ifdef ZEROTH_ONEDNN
#include <zeroth_model/ops/onednn.hpp>
#endif
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth_model/tokenizer/sentencepiece.hpp>
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

ModelSource open_to_save(FinetuneOptions const& options) {
  ModelSource source(options.model);
  if (options.save) source.keep_files();
  return source;
}

std::vector<std::int32_t> end_tokens_of(ModelSource const& source, Tokenizer const& tokenizer) {
  if (source.gguf() != nullptr) return model::end_tokens(*source.gguf(), tokenizer);
  HuggingFaceFolder const& folder = *source.folder();
  std::optional<model::JsonValue> generation;
  std::string const name = "generation_config.json";
  std::string const path = (folder.path / name).string();
  if (folder.files) {
    if (auto const found = folder.files->find(name); found != folder.files->end())
      generation = model::JsonValue::parse(found->second, path);
  } else if (std::filesystem::exists(path)) {
    generation = model::JsonValue::load(path);
  }
  return model::end_tokens(folder.config, generation, tokenizer);
}

model::WeightMemory memory_of(Gpu const* gpu) {
  return gpu == nullptr ? model::WeightMemory{} : gpu->memory();
}

}  // namespace

LanguageModel::LanguageModel(ModelOptions const& options, DataType dtype, std::optional<std::uint32_t> cuda_device)
    : gpu(open_gpu(cuda_device)),
      source(options.model),
      tokenizer(tokenizer_of(source)),
      end_tokens(end_tokens_of(source, tokenizer)),
      weights(source.load(dtype, memory_of(gpu.get()))) {
  check_vocabulary();
  if (options.adapter.empty()) return;
  adapter_files_.emplace(options.adapter);
  load_adapter();
}

LanguageModel::LanguageModel(FinetuneOptions const& options)
    : gpu(open_gpu(options.cuda_device)),
      source(open_to_save(options)),
      tokenizer(tokenizer_of(source)),
      end_tokens(end_tokens_of(source, tokenizer)),
      weights(first_weights(options)) {
  check_vocabulary();
  if (options.random_model || options.adapter.empty()) return;
  adapter_files_.emplace(options.adapter);
  load_adapter();
}

model::DecoderWeights LanguageModel::first_weights(FinetuneOptions const& options) const {
  if (!options.random_model) return source.load(options.dtype, memory_of(gpu.get()));
  model::DecoderWeights generated(model::published_model(*options.random_model), *options.random_model, options.dtype,
                                  memory_of(gpu.get()));
  if (gpu != nullptr)
    gpu->fill_random(generated, options.seed);
  else
    model::fill_random(generated, CpuBackend{}, options.seed);
  return generated;
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
  { model::DecoderWeights const given_back = std::move(weights); }
  weights = first_weights(options);
  if (adapter_files_) load_adapter();
}

void LanguageModel::check_vocabulary() const {
  if (tokenizer.vocabulary_size() > weights.config().vocabulary)
    throw InvalidFile(
        source.path() + ": tokenizer: expected at most as many tokens as the embedding has rows, " +
        std::to_string(weights.config().vocabulary) + ", found " + std::to_string(tokenizer.vocabulary_size()) +
        ", the last of which is \"" +
        model::detail::printable(tokenizer.token_text(static_cast<std::int32_t>(tokenizer.vocabulary_size() - 1))) +
        "\"");
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
                          ": --backend eigen multiplies only in f32; use cpu or onednn");
  return of(model::EigenOps(executor));
}

}  // namespace zeroth::cli
