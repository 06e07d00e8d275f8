// SPDX-License-Identifier: MIT
// zeroth's side of bench/versus/on_device.py on a GPU: bench_cuda_step_server MODEL [--layers N] [--save FOLDER]
//
// The bf16 weights are generated on the device in the shape of a published model, or of its first N layers; --save
// writes them for transformers. Answers requests as described in versus/step_runner.hpp. The first line has the model's
// config.json and describes the device, or says why none can be used; the program then returns 77.

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/families/published_models.hpp>
#include <zeroth_model/io/hugging_face/export_hugging_face.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/ops/cuda.hpp>
#include <zeroth_model/weights/random_weights.hpp>

#include "../versus/step_runner.hpp"
#include "report.hpp"

namespace {

using zeroth::CudaBackend;
using zeroth::DataType;

void run(int argc, char** argv) {
  std::string model;
  std::string folder;
  std::uint32_t layers = 0;
  for (int i = 1; i < argc; ++i) {
    std::string const word = argv[i];
    if (word != "--layers" && word != "--save")
      model = word;
    else if (++i == argc)
      throw zeroth::InvalidArgument(word + ": expected a value behind it");
    else if (word == "--save")
      folder = argv[i];
    else
      layers = static_cast<std::uint32_t>(std::stoul(argv[i]));
  }
  zeroth::model::DecoderConfig config = zeroth::model::published_model(model);
  if (layers != 0) config.layers = layers;

  CudaBackend const backend(0);
  zeroth::model::DecoderWeights weights(config, model, DataType::bf16, zeroth::model::WeightMemory::of(backend));
  fill_random(weights, backend, 1);
  if (!folder.empty()) save_hugging_face(folder, weights);
  zeroth::model::CudaOpsOptions options;
  options.dtype = DataType::bf16;
  zeroth::model::AnyDecoder decoder(zeroth::model::Decoder(weights, zeroth::model::CudaOps(backend, options)));
  zeroth_bench::StepRunner<CudaBackend> runner(weights, std::move(decoder), backend);
  nlohmann::json const greeting{{"config", zeroth::model::hugging_face_config(config)},
                                {"device", nlohmann::json::parse(zeroth_bench::describe_device(0).str())}};
  zeroth_bench::serve(greeting, [&](nlohmann::json const& request) { return runner.answer(request); });
}

}  // namespace

int main(int argc, char** argv) {
  std::string const why = zeroth::cuda::why_unusable(0);
  if (!why.empty()) {
    std::printf("%s\n", nlohmann::json{{"skipped", why}}.dump().c_str());
    return 77;
  }
  try {
    run(argc, argv);
    return 0;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "bench_cuda_step_server: %s\n", error.what());
    return 1;
  }
}
