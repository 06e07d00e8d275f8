// SPDX-License-Identifier: MIT
// Tunes a model inside llama.cpp, fused: each node of llama.cpp's graph reads perturbed weights from a stand-in, so
// that the model's own weights only change by the update.
//   llama_fused MODEL.gguf REVIEWS.txt JOURNAL TUNED.gguf

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <llama-cpp.h>

#include <zeroth_adapters/llama.hpp>

#include "reviews.hpp"

namespace {

using namespace zeroth::adapters;

int run(std::string const& model_path, std::string const& reviews, std::string const& journal_path,
        std::string const& tuned_path) {
  zeroth::OpenMpExecutor const executor;
  zeroth::model::Model const ours = zeroth::model::open_model(model_path);
  std::vector<zeroth::model::Example> const examples = engines::review_batch(ours.tokenizer, reviews);
  std::filesystem::remove(journal_path);

  // glue: begin
  llama_model_params model_params = llama_model_default_params();
  model_params.load_mode = LLAMA_LOAD_MODE_NONE;
  model_params.use_extra_bufts = false;
  model_params.n_gpu_layers = 0;
  llama_model_ptr const model(llama_model_load_from_file(model_path.c_str(), model_params));
  LlamaWeights const weights = LlamaWeights::of_model(model.get(), model_path);
  LlamaLayerwiseProbe layerwise(weights, executor);

  llama_context_params params = llama_context_default_params();
  params.n_seq_max = engines::batch_sequences;
  params.n_ctx = 256 * params.n_seq_max;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.n_threads = params.n_threads_batch = static_cast<int>(executor.concurrency());
  layerwise.attach(params);
  llama_context_ptr const context(llama_init_from_model(model.get(), params));
  LlamaLoss loss(context.get(), {examples[0].candidates[0][0], examples[0].candidates[1][0]}, executor);
  std::vector<LlamaSequence> batch;
  for (zeroth::model::Example const& e : examples)
    batch.push_back({e.prompt, {{engines::batch_tokens - 1, e.candidates[e.label][0]}}});

  auto make_optimizer = [&](zeroth::ParameterSet const& parameters) {
    return zeroth::ZerothOrderOptimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75},
                                        zeroth::CpuBackend{executor},
                                        {.epsilon = 1e-3, .learning_rate = 5e-5, .seed = 1});
  };
  auto optimizer = make_optimizer(weights.parameters());
  zeroth::JournalFile journal(journal_path, optimizer);
  auto step = [&] {
    zeroth::StepLosses losses(optimizer.ask());
    for (std::uint32_t k = 0; k < losses.plan().points; ++k)
      losses.set(k, 0, layerwise.at(optimizer.probe(losses.plan(), k, 1), [&] { return loss(batch); }));
    journal.append(*optimizer.tell(losses));
  };
  // glue: end

  double const before = loss(batch);
  engines::StepTimes times;
  for (int i = 0; i < engines::steps; ++i) {
    times.measure(step, [&] { (void)loss(batch); });
    if ((i + 1) % 10 == 0) std::printf("step %d  loss %.4f\n", i + 1, loss(batch));
  }
  llama_model_save_to_file(model.get(), tuned_path.c_str());
  print(engines::Result{
      .engine = "llama.cpp",
      .version = llama_version(),
      .mode = "fused",
      .loss_before = before,
      .loss_ours = engines::loss_of_ours(ours, examples, executor),
      .loss_after = loss(batch),
      .seconds_a_step = times.step(),
      .share_outside = times.share_outside(2),
      .memory = optimizer.bytes() + layerwise.bytes(),
      .replayed = engines::is_replayed(journal_path, weights.parameters(), ours.weights.parameters(), make_optimizer)});
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: llama_fused MODEL.gguf REVIEWS.txt JOURNAL TUNED.gguf\n");
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
    std::fprintf(stderr, "llama_fused: %s\n", error.what());
    return 1;
  }
}
