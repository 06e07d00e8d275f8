// SPDX-License-Identifier: MIT
// Tunes a new LoRA adapter inside llama.cpp over a quantised model, which stays mapped as it is on disk.
//   llama_lora MODEL.gguf REVIEWS.txt JOURNAL ADAPTER.gguf      ADAPTER.gguf is written, with B = 0

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <ggml-cpp.h>
#include <gguf.h>
#include <llama-cpp.h>

#include <zeroth_adapters/llama.hpp>

#include "reviews.hpp"

namespace {

using namespace zeroth::adapters;

/// Writes an adapter as llama.cpp reads it.
void save(zeroth::model::LoraAdapter const& adapter, std::string const& path) {
  zeroth::ParameterSet const& parameters = adapter.parameters();
  std::size_t const memory_size = parameters.bytes() + parameters.size() * (ggml_tensor_overhead() + 64);
  ggml_context_ptr const memory(ggml_init({.mem_size = memory_size, .mem_buffer = nullptr, .no_alloc = false}));
  gguf_context_ptr const file(gguf_init_empty());
  gguf_set_val_str(file.get(), "general.type", "adapter");
  gguf_set_val_str(file.get(), "general.architecture", "llama");
  gguf_set_val_str(file.get(), "adapter.type", "lora");
  gguf_set_val_f32(file.get(), "adapter.lora.alpha", static_cast<float>(adapter.alpha()));
  for (zeroth::Parameter const& p : parameters) {
    ggml_tensor* const tensor =
        ggml_new_tensor_2d(memory.get(), GGML_TYPE_F32, static_cast<std::int64_t>(p.shape.columns),
                           static_cast<std::int64_t>(p.shape.rows));
    ggml_set_name(tensor, p.name.c_str());
    std::memcpy(tensor->data, p.data, ggml_nbytes(tensor));
    gguf_add_tensor(file.get(), tensor);
  }
  if (!gguf_write_to_file(file.get(), path.c_str(), false)) throw zeroth::InvalidFile(path + ": cannot be written");
}

int run(std::string const& model_path, std::string const& reviews, std::string const& journal_path,
        std::string const& adapter_path) {
  zeroth::OpenMpExecutor const executor;
  zeroth::model::Model const ours = zeroth::model::open_model(model_path);
  std::vector<zeroth::model::Example> const examples = engines::review_batch(ours.tokenizer, reviews);
  zeroth::model::LoraAdapter const new_adapter(ours.weights, {.rank = 8, .alpha = 16, .seed = 1});
  save(new_adapter, adapter_path);
  std::filesystem::remove(journal_path);

  // glue: begin
  llama_model_params model_params = llama_model_default_params();
  model_params.use_extra_bufts = false;  // else it is copied and repacked
  llama_model_ptr const model(llama_model_load_from_file(model_path.c_str(), model_params));
  llama_adapter_lora* adapter = llama_adapter_lora_init(model.get(), adapter_path.c_str());
  LlamaWeights const weights = LlamaWeights::of_adapter(model.get(), adapter, adapter_path);

  llama_context_params params = llama_context_default_params();
  params.n_seq_max = engines::batch_sequences;
  params.n_ctx = 256 * params.n_seq_max;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.n_threads = params.n_threads_batch = static_cast<int>(executor.concurrency());
  llama_context_ptr const context(llama_init_from_model(model.get(), params));
  float scale = 1;
  llama_set_adapters_lora(context.get(), &adapter, 1, &scale);
  LlamaLoss loss(context.get(), {examples[0].candidates[0][0], examples[0].candidates[1][0]}, executor);
  std::vector<LlamaSequence> batch;
  for (zeroth::model::Example const& e : examples)
    batch.push_back({e.prompt, {{engines::batch_tokens - 1, e.candidates[e.label][0]}}});

  auto make_optimizer = [&](zeroth::ParameterSet const& parameters) {
    return zeroth::ZerothOrderOptimizer(
        parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{executor},
        {.epsilon = 1e-2, .learning_rate = 1e-2, .seed = 1, .restore = zeroth::Restore::exact});
  };
  auto optimizer = make_optimizer(weights.parameters());
  zeroth::JournalFile journal(journal_path, optimizer);
  auto step = [&] { journal.append(optimizer.step([&] { return loss(batch); })); };
  // glue: end

  double const before = loss(batch);
  engines::StepTimes times;
  for (int i = 0; i < engines::steps; ++i) {
    times.measure(step, [&] { (void)loss(batch); });
    if ((i + 1) % 10 == 0) std::printf("step %d  loss %.4f\n", i + 1, loss(batch));
  }
  print(engines::Result{
      .engine = "llama.cpp",
      .version = llama_version(),
      .mode = "lora",
      .loss_before = before,
      .loss_ours = engines::loss_of_ours(ours, examples, executor),
      .loss_after = loss(batch),
      .seconds_a_step = times.step(),
      .share_outside = times.share_outside(2),
      .memory = weights.parameters().bytes() + optimizer.bytes(),
      .replayed = engines::is_replayed(journal_path, weights.parameters(), new_adapter.parameters(), make_optimizer)});
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: llama_lora MODEL.gguf REVIEWS.txt JOURNAL ADAPTER.gguf\n");
    return 2;
  }
  llama_log_set(
      [](ggml_log_level level, char const* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  try {
    return run(arguments[1], arguments[2], arguments[3], arguments[4]);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "llama_lora: %s\n", error.what());
    return 1;
  }
}
