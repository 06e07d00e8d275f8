// SPDX-License-Identifier: MIT
// The LibTorch adapter on a module of two layers: what becomes a parameter, what is rejected, and what is noticed when
// the module moves.
#include <zeroth_adapters/libtorch.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include <zeroth/check_engine.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"

namespace {

using torch::Tensor;
using zeroth::InvalidArgument;
using zeroth::Role;
using zeroth::Shape;
using zeroth::adapters::TorchTensor;
using zeroth::adapters::TorchWeights;
using zeroth_test::contains_text;

constexpr std::int64_t vocabulary = 12;
constexpr std::int64_t width = 8;

/// An embedding, a layer, and a head that is the embedding: the loss of one token after another.
struct Engine : torch::nn::Module {
  explicit Engine(bool is_tied = true) {
    torch::manual_seed(1);
    embedding = register_module("embedding", torch::nn::Embedding(vocabulary, width));
    layer = register_module("layer", torch::nn::Linear(width, width));
    head = embedding->weight;
    if (!is_tied) head = head.detach().clone();  // not registered: nobody tunes it
  }

  Tensor loss() {
    Tensor const h = torch::tanh(layer->forward(embedding->forward(torch::tensor({3, 4, 3}))));
    return torch::cross_entropy_loss(torch::linear(h, head).to(torch::kFloat), torch::tensor({5, 6, 7}));
  }

  torch::nn::Embedding embedding = nullptr;
  torch::nn::Linear layer = nullptr;
  Tensor head;
};

zeroth::EngineCheck const with_tied{.tied = {"embedding.weight"}};

void rejects(TorchTensor const& tensor, std::string const& message) {
  CHECK_THROWS_WITH(TorchWeights(std::vector{tensor}), contains_text(message));
  CHECK_THROWS_AS(TorchWeights(std::vector{tensor}), InvalidArgument);
}

}  // namespace

TEST_CASE("a module's parameters keep their names, and their memory") {
  Engine engine;
  TorchWeights const weights(engine);
  zeroth::ParameterSet const& set = weights.parameters();
  REQUIRE(set.size() == 3);
  CHECK(set[0].name == "embedding.weight");
  CHECK(set[0].role == Role::embedding);
  CHECK(set[0].shape == Shape{vocabulary, width});
  CHECK(set[0].data == engine.embedding->weight.data_ptr());
  CHECK(set[1].name == "layer.weight");
  CHECK(set[1].role == Role::matrix);
  CHECK(set[2].name == "layer.bias");
  CHECK(set[2].role == Role::vector);
  CHECK(set[2].shape == Shape{1, width});
  CHECK(weights.device() == torch::kCPU);

  SECTION("a module that is an embedding itself") {
    torch::nn::Embedding embedding(3, 4);
    CHECK(TorchWeights(*embedding).parameters()[0].role == Role::embedding);
  }
  SECTION("those that require no gradient are left out") {
    engine.embedding->weight.requires_grad_(false);
    CHECK(TorchWeights(engine).parameters().size() == 2);
    for (Tensor& tensor : engine.parameters()) tensor.requires_grad_(false);
    CHECK_THROWS_WITH(TorchWeights(engine),
                      contains_text("module: expected a parameter that requires a gradient, found "
                                    "none"));
  }
  SECTION("16 bits") {
    engine.to(torch::kBFloat16);
    CHECK(TorchWeights(engine).parameters()[1].dtype == zeroth::DataType::bf16);
    engine.to(torch::kHalf);
    CHECK(TorchWeights(engine).parameters()[1].dtype == zeroth::DataType::f16);
  }
}

TEST_CASE("a list's tensors have roles by their dimensions, or as they are told") {
  std::vector<TorchTensor> const list{{"scalar", torch::ones({})},
                                      {"filter", torch::ones({4, 3, 2, 2})},
                                      {"head", torch::ones({5, 2}), Role::head},
                                      {"rows", torch::ones({6, 2}).slice(0, 2, 4)}};
  TorchWeights const weights(list);
  zeroth::ParameterSet const& set = weights.parameters();
  CHECK(set[0].shape == Shape{1, 1});
  CHECK(set[0].role == Role::vector);
  CHECK(set[1].shape == Shape{4, 12});
  CHECK(set[1].role == Role::matrix);
  CHECK(set[2].role == Role::head);
  CHECK(set[3].data == list[3].tensor.data_ptr());
}

TEST_CASE("tied tensors are taken once, and other overlaps are rejected by name") {
  struct Tied : torch::nn::Module {
    Tied() {
      embedding = register_module("embedding", torch::nn::Embedding(3, 4));
      head = register_parameter("head", embedding->weight);
    }
    torch::nn::Embedding embedding = nullptr;
    Tensor head;
  } tied;
  TorchWeights const weights(tied);
  REQUIRE(weights.parameters().size() == 1);
  CHECK(weights.parameters()[0].name == "head");  // a module's own come before those of its parts
  CHECK_NOTHROW(weights.check());

  Tensor const all = torch::ones({4, 3});
  CHECK(TorchWeights({{"q", all.slice(0, 0, 2)}, {"k", all.slice(0, 2)}}).parameters().size() == 2);
  CHECK_THROWS_WITH(TorchWeights({{"all", all}, {"part", all.slice(0, 2)}}),
                    contains_text("parameter 'part': its memory overlaps that of 'all'"));
  CHECK_THROWS_WITH(TorchWeights({{"all", all}, {"flat", all.view({12})}}),
                    contains_text("parameter 'flat': its memory overlaps that of 'all'"));
}

TEST_CASE("tensors that cannot be tuned where they lie are rejected by name") {
  Tensor const w = torch::ones({3, 4});
  rejects({"w", Tensor()}, "tensor 'w': expected a tensor, found an undefined one: leave it out");
  rejects({"w", torch::ones({3, 4}, torch::requires_grad()) * 2},
          "tensor 'w': expected a leaf of autograd, found the result of an operation");
  rejects({"w", w.to(torch::kDouble)}, "tensor 'w': expected Float, Half or BFloat16, found Double");
  rejects({"w", w.to(torch::kLong)}, "found Long");
  rejects({"w", w.to_sparse()}, "tensor 'w': expected a dense tensor, found layout Sparse");
  rejects({"w", torch::empty({3, 4}, torch::kMeta)}, "tensor 'w': expected it on device cpu, found meta");
  rejects({"w", w.t()}, "tensor 'w': expected contiguous rows, found sizes [4, 3] with strides [1, 4]");
  rejects({"w", torch::ones({1, 4}).expand({3, 4})}, "found sizes [3, 4] with strides [0, 1]");
  rejects({"w", torch::ones({0, 4})}, "parameter 'w': its shape has no elements");
  rejects({"", w}, "parameter 0: its name is empty");
  CHECK_THROWS_WITH(TorchWeights({{"w", w}}, torch::kCUDA), contains_text("expected it on device cuda, found cpu"));
}

TEST_CASE("a module that was converted, or given other tensors, is noticed before a step") {
  Engine engine;
  TorchWeights const weights(engine);
  auto objective = weights.objective([&] { return engine.loss(); });
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::Dense{},
                                         zeroth::CpuBackend{}, {.restore = zeroth::Restore::exact});
  CHECK_NOTHROW(optimizer.step(objective));

  SECTION("to bf16") {
    engine.to(torch::kBFloat16);
    CHECK_THROWS_WITH(optimizer.step(objective),
                      contains_text("tensor 'embedding.weight': expected Float [12, 8] at "));
    CHECK_THROWS_WITH(weights.check(), contains_text("found BFloat16 [12, 8] at "));
    CHECK_THROWS_AS(weights.check(), zeroth::Error);
    // The old memory is still alive, so that an engine that asks nobody is found out rather than ended.
    zeroth::EngineFindings const findings =
        check_engine(weights.parameters(), [&] { return engine.loss().item<double>(); });
    REQUIRE(findings.faults.size() == 1);
    CHECK_THAT(findings.faults[0], contains_text("the engine reads copies of these weights"));
  }
  SECTION("of the same type and shape elsewhere") {
    engine.layer->bias.set_data(engine.layer->bias.detach().clone());
    CHECK_THROWS_WITH(weights.check(), contains_text("tensor 'layer.bias': expected Float [8] at "));
  }
  SECTION("another shape") {
    engine.layer->weight.set_data(engine.layer->weight.detach().view({4, 16}));
    CHECK_THROWS_WITH(weights.check(), contains_text("found Float [4, 16] at "));
  }
  SECTION("gone") {
    engine.unregister_module("layer");
    CHECK_THROWS_WITH(weights.check(), contains_text("tensor 'layer.weight': expected it in the module"));
  }
}

TEST_CASE("a module's parameter that is another tensor now is noticed") {
  struct Own : torch::nn::Module {
    Own() { register_parameter("w", torch::ones({3, 4})); }
    void replace(Tensor const& tensor) { parameters_["w"] = tensor; }
  } own;
  TorchWeights const weights(own);
  own.replace(torch::ones({3, 4}));
  CHECK_THROWS_WITH(weights.check(), contains_text("tensor 'w': expected Float [3, 4] at "));
  own.replace(torch::ones({3, 4}).to_sparse());
  CHECK_THROWS_WITH(weights.check(), contains_text("as when its address was taken, found no memory: convert"));
}

TEST_CASE("a list's tensors are checked through the tensors themselves") {
  Tensor const w = torch::ones({3, 4});
  TorchWeights const weights({{"w", w}});
  CHECK_NOTHROW(weights.check());
  w.set_data(torch::ones({3, 4}));
  CHECK_THROWS_WITH(weights.check(), contains_text("tensor 'w': expected Float [3, 4] at "));
}

TEST_CASE("check_engine passes a module, and finds a head that is a copy of the embedding") {
  Engine engine;
  TorchWeights const weights(engine);
  CHECK(check_engine(weights.parameters(), weights.objective([&] { return engine.loss(); }), with_tied).ok());

  Engine copied(/*is_tied=*/false);
  TorchWeights const of_copied(copied);
  zeroth::EngineFindings const findings =
      check_engine(of_copied.parameters(), of_copied.objective([&] { return copied.loss(); }), with_tied);
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text("parameter 'embedding.weight': expected another loss for each of its "
                                               "rows"));
}

TEST_CASE("steps lower a module's loss in place and record no graph") {
  Engine engine;
  TorchWeights const weights(engine);
  zeroth::ZerothOrderOptimizer optimizer(
      weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.5}, zeroth::CpuBackend{},
      {.epsilon = 1e-3, .learning_rate = 0.02, .samples = 4, .seed = 1, .restore = zeroth::Restore::exact});
  double const before = engine.loss().item<double>();
  bool records = false;
  auto objective = weights.objective([&](zeroth::Evaluation const& at) {
    Tensor const loss = engine.loss();
    records = records || loss.requires_grad();
    CHECK(at.step == optimizer.steps());
    return loss;
  });
  for (int i = 0; i < 100; ++i) optimizer.step(objective);
  CHECK(engine.loss().item<double>() < 0.8 * before);
  CHECK_FALSE(records);
  CHECK(torch::GradMode::is_enabled());

  // A number will do as well.
  auto number = weights.objective([&] { return engine.loss().item<double>(); });
  CHECK(number() == engine.loss().item<double>());
}

TEST_CASE("a graph from before a step cannot be used after it") {
  Engine engine;
  TorchWeights const weights(engine);
  auto objective = weights.objective([&] { return engine.loss(); });
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::Dense{},
                                         zeroth::CpuBackend{}, {});
  Tensor const recorded = engine.loss();
  optimizer.step(objective);
  CHECK_THROWS_WITH(recorded.backward(), contains_text("modified by an inplace operation"));
  CHECK_NOTHROW(engine.loss().backward());
}

TEST_CASE("tensors of inference mode can be tuned") {
  c10::InferenceMode const inference;
  Tensor const w = torch::ones({3, 4});
  TorchWeights const weights({{"w", w}});
  auto objective = weights.objective([&] { return w.sum(); });
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::Dense{},
                                         zeroth::CpuBackend{}, {.learning_rate = 1e-2});
  optimizer.step(objective);
  CHECK(w.sum().item<double>() != 12);
}

TEST_CASE("a loss of several elements, or none, is rejected") {
  Tensor const w = torch::ones({3, 4});
  TorchWeights const weights({{"w", w}});
  CHECK_THROWS_WITH(
      weights.objective([&] { return w; })(),
      contains_text("loss: expected a tensor of one element, found sizes [3, 4]: return its mean or sum"));
  CHECK_THROWS_WITH(weights.objective([] { return Tensor(); })(), contains_text("found an undefined one"));
}
