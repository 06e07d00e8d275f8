// SPDX-License-Identifier: MIT
// Small models, tuned inside llama.cpp: what becomes a parameter, what is refused, and that the fused form has the bits
// of the in-place form.
#include <zeroth_adapters/llama.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ggml-cpp.h>
#include <gguf.h>
#include <llama-cpp.h>

#include <zeroth/check_engine.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/journal/weight_hash.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "paths.hpp"
#include "temporary_directory.hpp"

namespace {

using namespace zeroth::adapters;
using zeroth_test::contains_text;

std::string golden(std::string const& name) {
  return (zeroth_test::tests_directory() / "golden" / (name + ".gguf")).string();
}

llama_model_ptr load(std::string const& path, llama_load_mode mode = LLAMA_LOAD_MODE_NONE) {
  llama_log_set([](ggml_log_level, char const*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.load_mode = mode;
  params.use_extra_bufts = false;
  params.n_gpu_layers = 0;
  return llama_model_ptr(llama_model_load_from_file(path.c_str(), params));
}

llama_context_params context_params(std::uint32_t n_batch = 64, std::uint32_t n_seq_max = 4) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 256 * n_seq_max;
  params.n_batch = params.n_ubatch = n_batch;
  params.n_seq_max = n_seq_max;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.n_threads = params.n_threads_batch = 2;
  return params;
}

llama_context_ptr context_of(llama_model_ptr const& model, llama_context_params const& params = context_params()) {
  return llama_context_ptr(llama_init_from_model(model.get(), params));
}

std::vector<LlamaSequence> batch() {
  return {{{5, 80, 17, 200, 3}, {{1, 17}, {4, 90}}}, {{60, 61, 62}, {{2, 33}}}, {{250, 9, 9, 9, 31, 8, 100}, {{6, 1}}}};
}

template <class F>
std::string message(F const& run) {
  try {
    run();
  } catch (zeroth::Error const& error) {
    return error.what();
  }
  return "no error";
}

auto optimizer_of(LlamaWeights const& weights) {
  return zeroth::ZerothOrderOptimizer(
      weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.5}, zeroth::CpuBackend{},
      {.epsilon = 1e-2, .learning_rate = 1e-3, .seed = 3, .restore = zeroth::Restore::exact});
}

std::uint64_t hash(LlamaWeights const& weights) {
  return zeroth::hash_weights(weights.parameters(), zeroth::CpuBackend{});
}

/// A LoRA adapter of rank 2 for the queries of both layers, with A and B drawn.
std::string write_adapter(std::string const& path, LlamaWeights const& base) {
  ggml_context_ptr const memory(ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = false}));
  gguf_context_ptr const file(gguf_init_empty());
  gguf_set_val_str(file.get(), "general.type", "adapter");
  gguf_set_val_str(file.get(), "general.architecture", "llama");
  gguf_set_val_str(file.get(), "adapter.type", "lora");
  gguf_set_val_f32(file.get(), "adapter.lora.alpha", 4);
  for (std::string const name : {"blk.0.attn_q.weight", "blk.1.attn_q.weight"}) {
    zeroth::Shape const shape = base.parameters()[base.parameters().index_of(name)].shape;
    auto add = [&](std::string const& part, std::uint64_t columns, std::uint64_t rows) {
      ggml_tensor* const tensor = ggml_new_tensor_2d(memory.get(), GGML_TYPE_F32, static_cast<std::int64_t>(columns),
                                                     static_cast<std::int64_t>(rows));
      ggml_set_name(tensor, (name + part).c_str());
      for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i)
        static_cast<float*>(tensor->data)[i] = static_cast<float>(i % 7 - 3) / 64;
      gguf_add_tensor(file.get(), tensor);
    };
    add(".lora_a", shape.columns, 2);
    add(".lora_b", 2, shape.rows);
  }
  REQUIRE(gguf_write_to_file(file.get(), path.c_str(), false));
  return path;
}

}  // namespace

TEST_CASE("parameters are the file's tensors without rotary factors, a tied head once", "[adapters]") {
  std::string const path = golden(GENERATE("gqa_odd_tied", "gqa_separate", "families/llama3/model"));
  llama_model_ptr const model = load(path);
  LlamaWeights const weights = LlamaWeights::of_model(model.get(), path);

  ggml_context* tensors = nullptr;
  gguf_context_ptr const file(gguf_init_from_file(path.c_str(), {.no_alloc = false, .ctx = &tensors}));
  ggml_context_ptr const memory(tensors);
  std::size_t next = 0;
  for (std::int64_t i = 0; i < gguf_get_n_tensors(file.get()); ++i) {
    std::string const name = gguf_get_tensor_name(file.get(), i);
    if (name == "rope_freqs.weight") continue;
    REQUIRE(next < weights.parameters().size());
    zeroth::Parameter const& p = weights.parameters()[next++];
    ggml_tensor const* const tensor = ggml_get_tensor(tensors, name.c_str());
    INFO(name);
    CHECK(p.name == name);
    CHECK(p.bytes() == ggml_nbytes(tensor));
    CHECK(p.shape.columns == static_cast<std::uint64_t>(tensor->ne[0]));
    CHECK(std::memcmp(p.data, tensor->data, ggml_nbytes(tensor)) == 0);
    zeroth::Role role = tensor->ne[1] == 1 ? zeroth::Role::vector : zeroth::Role::matrix;
    if (name == "token_embd.weight") role = zeroth::Role::embedding;
    if (name == "output.weight") role = zeroth::Role::head;
    CHECK(p.role == role);
  }
  CHECK(next == weights.parameters().size());
  // Without the file, the same in another order.
  LlamaWeights const unordered = LlamaWeights::of_model(model.get());
  CHECK(unordered.parameters().size() == next);
  CHECK(unordered.parameters()[0].name == "token_embd.weight");
  CHECK(hash(unordered) == hash(weights));
}

TEST_CASE("a model that cannot be tuned where it lies is refused, with what to set", "[adapters]") {
  llama_model_ptr const mapped = load(golden("gqa_separate"), LLAMA_LOAD_MODE_MMAP);
  CHECK_THAT(message([&] { (void)LlamaWeights::of_model(mapped.get()); }),
             contains_text("llama.cpp: tensor 'token_embd.weight': expected memory that can be written") &&
                 contains_text("load_mode = LLAMA_LOAD_MODE_NONE"));
  llama_model_ptr const quantized = load(golden("quantized"));
  CHECK_THAT(message([&] { (void)LlamaWeights::of_model(quantized.get()); }),
             contains_text("llama.cpp: tensor 'token_embd.weight': expected f32, f16 or bf16, found q8_0: tune a LoRA "
                           "adapter over it (LlamaWeights::of_adapter)"));
  llama_model_ptr const model = load(golden("gqa_separate"));
  CHECK_THAT(
      message([&] { (void)LlamaWeights::of_model(model.get(), golden("families/qwen3/model")); }),
      contains_text("qwen3/model.gguf: expected the model's tensor 'blk.2.attn_norm.weight', found none of that name"));

  // No model has float weights in a buffer for repacked ones on every processor, so a tensor of our own is there.
  ggml_backend_dev_t const cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  auto const extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
  REQUIRE(extra != nullptr);
  for (ggml_backend_buffer_type_t* kind = extra(cpu); kind != nullptr && *kind != nullptr; ++kind) {
    ggml_context_ptr const memory(ggml_init({.mem_size = 4096, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_tensor* tensor = ggml_new_tensor_2d(memory.get(), GGML_TYPE_F32, 8, 8);
    ggml_set_name(tensor, "w");
    ggml_backend_buffer_ptr const buffer(ggml_backend_alloc_ctx_tensors_from_buft(memory.get(), *kind));
    CHECK_THAT(message([&] {
                 LlamaWeights weights({&tensor, 1});
               }),
               contains_text("llama.cpp: tensor 'w': expected the weights as in the file, found it in ") &&
                   contains_text("use_extra_bufts = false"));
  }
}

TEST_CASE("the second copy of a tied tensor is its mirror", "[adapters]") {
  ggml_context_ptr const memory(ggml_init({.mem_size = 4096, .mem_buffer = nullptr, .no_alloc = true}));
  ggml_tensor* tensors[2];
  for (ggml_tensor*& tensor : tensors) {
    tensor = ggml_new_tensor_2d(memory.get(), GGML_TYPE_F32, 8, 4);
    ggml_set_name(tensor, "token_embd.weight");
  }
  ggml_backend_buffer_ptr const buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(memory.get(), ggml_backend_cpu_buffer_type()));
  ggml_backend_buffer_clear(buffer.get(), 0);
  LlamaWeights const weights(tensors);
  REQUIRE(weights.parameters().size() == 1);
  CHECK(weights.find(tensors[1]) == 0);
  CHECK(weights.parameters()[0].mirrors == std::vector<void*>{tensors[1]->data});
  auto const* const copy = static_cast<float const*>(tensors[1]->data);
  auto optimizer = optimizer_of(weights);
  auto step = optimizer.begin_step();
  (void)step.next();
  CHECK(copy[5] != 0);
  CHECK(std::memcmp(copy, tensors[0]->data, ggml_nbytes(tensors[0])) == 0);

  tensors[1]->ne[1] = 2;
  CHECK_THAT(message([&] { LlamaWeights wrong(tensors); }),
             contains_text("expected two of that name and of the same shape and type"));
}

TEST_CASE("the loss does not depend on how a batch is divided or on what was evaluated before", "[adapters]") {
  llama_model_ptr const model = load(golden("gqa_odd_tied"));
  LlamaWeights const weights = LlamaWeights::of_model(model.get());
  llama_context_ptr const context = context_of(model);
  LlamaLoss loss(context.get());
  double const whole = loss(batch());
  CHECK(loss(batch()) == whole);
  CHECK(loss(std::vector<LlamaSequence>{{{1, 2, 3, 4, 5, 6, 7, 8}, {{7, 9}}}}) != whole);
  CHECK(loss(batch()) == whole);
  for (auto const& [tokens, sequences] : {std::pair{8U, 4U}, std::pair{64U, 1U}}) {
    llama_context_ptr const other = context_of(model, context_params(tokens, sequences));
    CHECK(LlamaLoss(other.get())(batch()) == Approx(whole).epsilon(1e-5));
  }
  // Each target counts once.
  double sum = 0;
  for (LlamaSequence const& sequence : batch())
    sum += loss({&sequence, 1}) * static_cast<double>(sequence.targets.size());
  CHECK(sum / 4 == Approx(whole).epsilon(1e-5));
  // A choice among two tokens.
  std::vector<LlamaSequence> const one{{{5, 80, 17}, {{2, 90}}}};
  std::vector<LlamaSequence> const other{{{5, 80, 17}, {{2, 91}}}};
  double const odds = loss(one) - loss(other);
  CHECK(LlamaLoss(context.get(), {90, 91})(one) == Approx(std::log1p(std::exp(odds))).epsilon(1e-5));

  auto refusal = [&](LlamaSequence const& sequence) { return message([&] { (void)loss({&sequence, 1}); }); };
  CHECK_THAT(refusal({{}, {}}), contains_text("sequence 0: expected 1 to 64 tokens"));
  CHECK_THAT(refusal({{1, 277}, {}}), contains_text("sequence 0: expected tokens below 277, found 277"));
  CHECK_THAT(refusal({{1, 2}, {{2, 3}}}), contains_text("expected targets at positions below 2, found one at 2"));
  CHECK_THAT(refusal({{1, 2}, {}}), contains_text("expected a batch with at least one target, found none"));
  CHECK_THAT(message([&] {
               (void)LlamaLoss(context.get(), {90, 91})(batch());
             }),
             contains_text("expected targets among the candidates, found token 17"));
}

TEST_CASE("a loss that is not finite leaves nothing in the cache", "[adapters]") {
  llama_model_ptr const model = load(golden("gqa_odd_tied"));
  LlamaWeights const weights = LlamaWeights::of_model(model.get());
  llama_context_ptr const context = context_of(model);
  LlamaLoss loss(context.get());
  double const before = loss(batch());
  auto* const gain =
      static_cast<float*>(weights.parameters()[weights.parameters().index_of("blk.0.attn_norm.weight")].data);
  float const kept = gain[0];
  gain[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(loss(batch())));
  gain[0] = kept;
  CHECK(loss(std::vector<LlamaSequence>{{{1, 2}, {{1, 9}}}}) > 0);
  CHECK(loss(batch()) == before);
}

TEST_CASE("fused and in place give the same losses and weights", "[adapters]") {
  zeroth_test::TemporaryDirectory const directory;
  std::string path = golden(GENERATE("gqa_odd_tied", "gqa_separate", "families/llama3/model"));
  bool const is_half = GENERATE(false, true);
  if (is_half) {
    std::string const half = (directory / "f16.gguf").string();
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = LLAMA_FTYPE_MOSTLY_F16;
    params.allow_requantize = true;
    REQUIRE(llama_model_quantize(path.c_str(), half.c_str(), &params) == 0);
    path = half;
  }
  llama_model_ptr const model = load(path);
  LlamaWeights const weights = LlamaWeights::of_model(model.get());
  llama_context_ptr const context = context_of(model);
  LlamaLoss loss(context.get());
  auto in_place = optimizer_of(weights);

  llama_model_ptr const fused_model = load(path);
  LlamaWeights const fused_weights = LlamaWeights::of_model(fused_model.get());
  zeroth::OpenMpExecutor const executor(2);
  LlamaLayerwiseProbe layerwise(fused_weights, executor);
  llama_context_params params = context_params();
  layerwise.attach(params);
  llama_context_ptr const fused_context = context_of(fused_model, params);
  LlamaLoss fused_loss(fused_context.get());
  auto fused = optimizer_of(fused_weights);

  double const base = loss(batch());
  CHECK(fused_loss(batch()) == base);
  for (int i = 0; i < 3; ++i) {
    zeroth::StepReport const report = in_place.step([&] { return loss(batch()); });
    zeroth::StepLosses losses(fused.ask());
    for (std::uint32_t k = 0; k < losses.plan().points; ++k)
      losses.set(k, 0, layerwise.at(fused.probe(losses.plan(), k, 1), [&] { return fused_loss(batch()); }));
    std::optional<zeroth::StepReport> const told = fused.tell(losses);
    REQUIRE(told);
    CHECK_FALSE(report.losses_are_equal());
    CHECK(told->loss == report.loss);
    CHECK(hash(fused_weights) == hash(weights));
  }
  CHECK(fused.bytes() <= in_place.bytes());
  std::uint64_t largest = 0;
  for (zeroth::Parameter const& p : weights.parameters()) largest = std::max(largest, p.bytes());
  CHECK(layerwise.bytes() <= largest + 4096);
}

TEST_CASE("a model serves other contexts while it is probed", "[adapters]") {
  llama_model_ptr const model = load(golden("gqa_odd_tied"));
  LlamaWeights const weights = LlamaWeights::of_model(model.get());
  llama_context_ptr const serving = context_of(model);
  LlamaLoss served(serving.get());
  LlamaLayerwiseProbe layerwise(weights);
  llama_context_params params = context_params();
  layerwise.attach(params);
  llama_context_ptr const context = context_of(model, params);
  LlamaLoss loss(context.get());
  double const base = served(batch());
  std::uint64_t const before = hash(weights);

  auto optimizer = optimizer_of(weights);
  zeroth::StepLosses losses(optimizer.ask());
  double const perturbed = layerwise.at(optimizer.probe(losses.plan(), 0, 1), [&] {
    double const own = loss(batch());
    CHECK(served(batch()) == base);
    return own;
  });
  CHECK(perturbed != base);
  CHECK(loss(batch()) == base);
  CHECK(hash(weights) == before);

  CHECK_THAT(
      message([&] { (void)layerwise.at(optimizer.probe(losses.plan(), 0, 1), [&] { return served(batch()); }); }),
      contains_text("llama.cpp: tensor 'token_embd.weight': expected a node of the evaluation that reads it"));
  CHECK_THAT(message([&] { (void)layerwise.at(optimizer.probe(losses.plan(), 0, 2), [&] { return loss(batch()); }); }),
             contains_text("expected a probe of one point"));
  // What the loss throws passes through, and the context is whole again.
  CHECK_THROWS_AS(
      layerwise.at(optimizer.probe(losses.plan(), 0, 1), [&]() -> double { throw zeroth::Error("from the loss"); }),
      zeroth::Error);
  CHECK(loss(batch()) == base);
}

TEST_CASE("an adapter is tuned over a quantised model that is mapped", "[adapters]") {
  zeroth_test::TemporaryDirectory const directory;
  llama_model_ptr const model = load(golden("quantized"), LLAMA_LOAD_MODE_MMAP);
  std::string const path = [&] {
    ggml_context_ptr const memory(ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true}));
    std::vector<ggml_tensor*> tensors;
    for (char const* name : {"blk.0.attn_q.weight", "blk.1.attn_q.weight"}) {
      tensors.push_back(ggml_new_tensor_2d(memory.get(), GGML_TYPE_F32, 64, 64));
      ggml_set_name(tensors.back(), name);
    }
    ggml_backend_buffer_ptr const buffer(
        ggml_backend_alloc_ctx_tensors_from_buft(memory.get(), ggml_backend_cpu_buffer_type()));
    return write_adapter((directory / "adapter.gguf").string(), LlamaWeights(tensors));
  }();
  llama_adapter_lora_ptr adapter(llama_adapter_lora_init(model.get(), path.c_str()));
  REQUIRE(adapter);
  LlamaWeights const weights = LlamaWeights::of_adapter(model.get(), adapter.get(), path);
  REQUIRE(weights.parameters().size() == 4);
  CHECK(weights.parameters()[0].name == "blk.0.attn_q.weight.lora_a");
  CHECK(weights.parameters()[1].shape == zeroth::Shape{64, 2});

  LlamaLayerwiseProbe layerwise(weights);
  llama_context_params params = context_params();
  layerwise.attach(params);
  llama_context_ptr const context = context_of(model, params);
  LlamaLoss loss(context.get());
  auto optimizer = optimizer_of(weights);
  auto at_first = [&] { return layerwise.at(optimizer.probe(optimizer.ask(), 0, 1), [&] { return loss(batch()); }); };
  CHECK_THAT(message(at_first), contains_text("'blk.0.attn_q.weight.lora_a': expected a node of the evaluation"));
  llama_adapter_lora* set[] = {adapter.get()};
  float scale = 1;
  REQUIRE(llama_set_adapters_lora(context.get(), set, 1, &scale) == 0);
  double const probed = at_first();
  optimizer.abandon();

  auto step = optimizer.begin_step();
  (void)step.next();
  CHECK(loss(batch()) == probed);
}

TEST_CASE("check_engine passes a loaded model", "[adapters]") {
  llama_model_ptr const model = load(golden("gqa_odd_tied"));
  LlamaWeights const weights = LlamaWeights::of_model(model.get());
  llama_context_ptr const context = context_of(model);
  LlamaLoss loss(context.get());
  zeroth::EngineFindings const findings =
      zeroth::check_engine(weights.parameters(), [&] { return loss(batch()); }, {.tied = {"token_embd.weight"}});
  for (std::string const& fault : findings.faults) FAIL_CHECK(fault);
}
