// SPDX-License-Identifier: MIT
// Replays a journal into a model that llama.cpp has loaded, and saves it as llama.cpp does.
//   llama_replay MODEL.gguf JOURNAL TUNED.gguf

#include <cstdio>
#include <exception>
#include <string>

#include <llama-cpp.h>

#include <zeroth/executor/openmp.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/replay_journal.hpp>
#include <zeroth_adapters/llama.hpp>

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: llama_replay MODEL.gguf JOURNAL TUNED.gguf\n");
    return 2;
  }
  try {
    llama_model_params params = llama_model_default_params();
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = false;
    params.n_gpu_layers = 0;
    llama_model_ptr const model(llama_model_load_from_file(arguments[1], params));
    auto const weights = zeroth::adapters::LlamaWeights::of_model(model.get());
    zeroth::OpenMpExecutor const executor;
    zeroth::replay_journal(zeroth::read_journal(arguments[2]), weights.parameters(), {.source = arguments[2]},
                           zeroth::CpuBackend{executor});
    llama_model_save_to_file(model.get(), arguments[3]);
    return 0;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "llama_replay: %s\n", error.what());
    return 1;
  }
}
