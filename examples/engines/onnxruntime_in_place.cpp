// SPDX-License-Identifier: MIT
// Tunes a model inside ONNX Runtime, in place: the session reads the initializers from our reader's memory, where the
// optimizer moves them. onnx_graph.py writes the graph.
//   onnxruntime_in_place GRAPH.onnx MODEL.gguf REVIEWS.txt JOURNAL

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include <zeroth/check_engine.hpp>
#include <zeroth_adapters/onnxruntime.hpp>

#include "reviews.hpp"

namespace {

/// The session's loss of a batch.
class Loss {
 public:
  Loss(Ort::Session& session, std::vector<zeroth::model::Example> const& batch) : session_(session), batch_(batch) {
    for (zeroth::model::Example const& e : batch) ids_.insert(ids_.end(), e.prompt.begin(), e.prompt.end());
  }

  double operator()() {
    std::array<std::int64_t, 2> const sizes{engines::batch_sequences, engines::batch_tokens};
    Ort::Value const ids =
        Ort::Value::CreateTensor<std::int64_t>(memory_, ids_.data(), ids_.size(), sizes.data(), sizes.size());
    char const* const input = "ids";
    char const* const output = "logits";
    std::vector<Ort::Value> const outputs = session_.Run(Ort::RunOptions(), &input, &ids, 1, &output, 1);
    auto const vocabulary = outputs[0].GetTensorTypeAndShapeInfo().GetElementCount() / batch_.size();
    auto const* logits = outputs[0].GetTensorData<float>();
    double sum = 0;
    for (zeroth::model::Example const& e : batch_) {
      float const right = logits[e.candidates[e.label][0]];
      float const wrong = logits[e.candidates[1 - e.label][0]];
      sum += std::log1p(std::exp(static_cast<double>(wrong) - static_cast<double>(right)));
      logits += vocabulary;
    }
    return sum / static_cast<double>(batch_.size());
  }

 private:
  Ort::Session& session_;
  std::vector<zeroth::model::Example> const& batch_;
  std::vector<std::int64_t> ids_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
};

int run(char const* graph, std::string const& model_path, std::string const& reviews, std::string const& journal_path) {
  zeroth::OpenMpExecutor const executor;
  zeroth::model::Model const ours = zeroth::model::open_model(model_path);
  std::vector<zeroth::model::Example> const examples = engines::review_batch(ours.tokenizer, reviews);
  double const before_ours = engines::loss_of_ours(ours, examples, executor);
  std::filesystem::remove(journal_path);
  Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "zeroth");
  Ort::SessionOptions options;

  // glue: begin
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");  // else its threads take time from the optimizer's
  zeroth::adapters::OnnxWeights const weights(ours.weights.parameters());
  weights.bind(options);
  Ort::Session session(environment, graph, options);
  Loss loss(session, examples);
  zeroth::EngineFindings const findings =
      zeroth::check_engine(weights.parameters(), loss, {.most_tensors = 8}, zeroth::CpuBackend{executor});
  if (!findings.ok()) throw std::runtime_error(findings.faults[0]);

  auto make_optimizer = [&](zeroth::ParameterSet const& parameters) {
    return zeroth::ZerothOrderOptimizer(
        parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75}, zeroth::CpuBackend{executor},
        {.epsilon = 1e-3, .learning_rate = 5e-6, .seed = 1, .restore = zeroth::Restore::exact});
  };
  auto optimizer = make_optimizer(weights.parameters());
  zeroth::JournalFile journal(journal_path, optimizer);
  auto step = [&] { journal.append(optimizer.step(loss)); };
  // glue: end

  double const before = loss();
  engines::StepTimes times;
  for (int i = 0; i < engines::steps; ++i) {
    times.measure(step, [&] { (void)loss(); });
    if ((i + 1) % 10 == 0) std::printf("step %d  loss %.4f\n", i + 1, loss());
  }
  std::printf("our transformer on the same memory: loss %.6f\n", engines::loss_of_ours(ours, examples, executor));
  print(engines::Result{
      .engine = "ONNX Runtime",
      .version = Ort::GetVersionString(),
      .mode = "in place, exact",
      .loss_before = before,
      .loss_ours = before_ours,
      .loss_after = loss(),
      .seconds_a_step = times.step(),
      .share_outside = times.share_outside(2),
      .memory = optimizer.bytes(),
      .replayed = engines::is_replayed(journal_path, weights.parameters(),
                                       zeroth::model::open_model(model_path).weights.parameters(), make_optimizer)});
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: onnxruntime_in_place GRAPH.onnx MODEL.gguf REVIEWS.txt JOURNAL\n");
    return 2;
  }
  try {
    return run(arguments[1], arguments[2], arguments[3], arguments[4]);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "onnxruntime_in_place: %s\n", error.what());
    return 1;
  }
}
