// SPDX-License-Identifier: MIT
// The ONNX Runtime adapter on a graph of two layers: that the session reads the caller's memory, and that check_engine
// finds each setting with which it would not.
#include <zeroth_adapters/onnxruntime.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/check_engine.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "tensors.hpp"

namespace {

using zeroth::DataType;
using zeroth::EngineFindings;
using zeroth::Role;
using zeroth::adapters::OnnxWeights;
using zeroth_test::contains_text;

constexpr std::int64_t vocabulary = 12;
constexpr std::int64_t width = 8;

/// A message of ONNX's format, as Protocol Buffers encode it.
class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& text(unsigned field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(unsigned field, Message const& value) { return text(field, value.bytes_); }
  [[nodiscard]] std::string const& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_.push_back(static_cast<char>(value | 128));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

enum Element : std::uint64_t { f32_element = 1, int64_element = 7, f16_element = 10, bf16_element = 16 };

/// An embedding, a layer, and a head that is the embedding or a copy of it: the loss of one token after another. The
/// file's own weights are zeros.
struct Graph {
  DataType dtype = DataType::f32;
  bool transposes = false;  ///< multiplies by a transposed weight rather than in a Gemm that transposes
  std::string head = "embedding";

  [[nodiscard]] std::string bytes() const {
    Message graph;
    graph.text(2, "graph");
    auto const node = [&](std::string_view operation, std::vector<std::string> const& inputs, std::string_view output,
                          std::string_view attribute = {}, std::uint64_t value = 0) {
      Message message;
      for (std::string const& input : inputs) message.text(1, input);
      message.text(2, output).text(4, operation);
      if (!attribute.empty()) message.message(5, Message().text(1, attribute).number(3, value).number(20, 2));
      graph.message(1, message);
    };
    auto const weight = [&](std::string const& name, std::int64_t rows) {
      std::size_t const bytes = static_cast<std::size_t>(rows * width) * size_of(dtype);
      graph.message(5, Message()
                           .number(1, static_cast<std::uint64_t>(rows))
                           .number(1, width)
                           .number(2, dtype == DataType::f32   ? f32_element
                                      : dtype == DataType::f16 ? f16_element
                                                               : bf16_element)
                           .text(8, name)
                           .text(9, std::string(bytes, '\0')));
      if (dtype == DataType::f32) return name;
      node("Cast", {name}, name + " as f32", "to", f32_element);
      return name + " as f32";
    };
    auto const value = [](std::string_view name, Element element, std::vector<std::uint64_t> const& dimensions) {
      Message shape;
      for (std::uint64_t const d : dimensions) shape.message(1, Message().number(1, d));
      Message const tensor = Message().number(1, element).message(2, shape);
      return Message().text(1, name).message(2, Message().message(1, tensor));
    };
    std::string const embedding = weight("embedding", vocabulary);
    std::string const layer = weight("layer", width);
    node("Gather", {embedding, "ids"}, "read");
    if (transposes) {
      node("Transpose", {layer}, "transposed");
      node("MatMul", {"read", "transposed"}, "product");
    } else {
      node("Gemm", {"read", layer}, "product", "transB", 1);
    }
    node("Tanh", {"product"}, "hidden");
    node("Gemm", {"hidden", head == "embedding" ? embedding : weight(head, vocabulary)}, "logits", "transB", 1);
    node("LogSoftmax", {"logits"}, "scores");
    node("GatherElements", {"scores", "targets"}, "scored", "axis", 1);
    node("ReduceMean", {"scored"}, "mean", "keepdims", 0);
    node("Neg", {"mean"}, "loss");
    graph.message(11, value("ids", int64_element, {3})).message(11, value("targets", int64_element, {3, 1}));
    graph.message(12, value("loss", f32_element, {}));
    return Message().number(1, 8).message(7, graph).message(8, Message().text(1, "").number(2, 17)).bytes();
  }
};

/// Weights, and a session over them.
class Engine {
 public:
  template <class Change>
  Engine(Graph const& graph, Change const& change) {
    options_.SetIntraOpNumThreads(1);
    change(options_);
    std::string const bytes = graph.bytes();
    session_ = Ort::Session(environment(), bytes.data(), bytes.size(), options_);
  }

  [[nodiscard]] double loss() {
    std::array<std::int64_t, 3> ids{3, 4, 3};
    std::array<std::int64_t, 3> targets{5, 6, 7};
    std::array<std::int64_t, 1> const row{3};
    std::array<std::int64_t, 2> const column{3, 1};
    Ort::MemoryInfo const memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    Ort::Value inputs[] = {Ort::Value::CreateTensor<std::int64_t>(memory, ids.data(), 3, row.data(), 1),
                           Ort::Value::CreateTensor<std::int64_t>(memory, targets.data(), 3, column.data(), 2)};
    char const* const input_names[] = {"ids", "targets"};
    char const* const output_names[] = {"loss"};
    auto const outputs = session_.Run(Ort::RunOptions(), input_names, inputs, 2, output_names, 1);
    return static_cast<double>(outputs[0].GetTensorData<float>()[0]);
  }

 private:
  static Ort::Env& environment() {
    static Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "tests");
    return environment;
  }
  Ort::SessionOptions options_;
  Ort::Session session_{nullptr};
};

/// The values that the tests tune.
struct Weights {
  std::vector<float> embedding = zeroth_test::normal_weights(vocabulary * width, 1, 0.5F);
  std::vector<float> layer = zeroth_test::normal_weights(width * width, 2, 0.5F);
  std::vector<float> head = embedding;

  void add_to(OnnxWeights& initializers, std::string const& layer_name = "layer") {
    initializers.add("embedding", Role::embedding, {vocabulary, width}, DataType::f32, embedding.data());
    initializers.add(layer_name, Role::matrix, {width, width}, DataType::f32, layer.data());
  }
};

/// The one fault of a session over these initializers whose options are changed after they are bound.
template <class Change>
void finds(Graph const& graph, OnnxWeights const& initializers, Change const& change, std::string const& expected) {
  Engine engine(graph, [&](Ort::SessionOptions& options) {
    initializers.bind(options);
    change(options);
  });
  EngineFindings const findings =
      check_engine(initializers.parameters(), [&] { return engine.loss(); }, {.tied = {"embedding"}});
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text(expected));
}

}  // namespace

TEST_CASE("a session reads bound initializers where they lie, and its loss falls") {
  Weights weights;
  OnnxWeights initializers;
  weights.add_to(initializers);
  Graph const graph{.transposes = GENERATE(false, true)};
  Engine engine(graph, [&](Ort::SessionOptions& options) { initializers.bind(options); });
  CHECK(check_engine(initializers.parameters(), [&] { return engine.loss(); }, {.tied = {"embedding"}}).ok());

  zeroth::ZerothOrderOptimizer optimizer(
      initializers.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.5}, zeroth::CpuBackend{},
      {.epsilon = 1e-3, .learning_rate = 0.02, .samples = 4, .seed = 1, .restore = zeroth::Restore::exact});
  double const before = engine.loss();
  for (int i = 0; i < 100; ++i) optimizer.step([&] { return engine.loss(); });
  CHECK(engine.loss() < 0.9 * before);
}

TEST_CASE("check_engine finds prepacked weights") {
  Weights weights;
  OnnxWeights initializers;
  weights.add_to(initializers);
  auto const prepack = [](Ort::SessionOptions& options) { options.AddConfigEntry("session.disable_prepacking", "0"); };
  Engine engine(Graph{}, [&](Ort::SessionOptions& options) {
    initializers.bind(options);
    prepack(options);
  });
  EngineFindings const findings =
      check_engine(initializers.parameters(), [&] { return engine.loss(); }, {.tied = {"embedding"}});
  REQUIRE(findings.faults.size() == 2);
  CHECK_THAT(findings.faults[0], contains_text("parameter 'layer': expected another loss once it is perturbed"));
  CHECK_THAT(findings.faults[1], contains_text("parameter 'embedding': expected another loss for each of its rows"));
}

TEST_CASE("check_engine finds weights that an optimization of the graph folded") {
  Weights weights;
  OnnxWeights initializers;
  weights.add_to(initializers);
  // Transposed at once, with the file's own zeros: no weight makes a difference.
  finds(
      {.transposes = true}, initializers,
      [](Ort::SessionOptions& options) { options.SetGraphOptimizationLevel(ORT_ENABLE_BASIC); },
      "the engine reads copies of these weights");
}

TEST_CASE("check_engine finds a head that is an initializer of its own") {
  Weights weights;
  OnnxWeights initializers;
  weights.add_to(initializers);
  OnnxWeights with_head;
  weights.add_to(with_head);
  with_head.add("head", Role::head, {vocabulary, width}, DataType::f32, weights.head.data());
  Engine engine({.head = "head"}, [&](Ort::SessionOptions& options) { with_head.bind(options); });
  EngineFindings const findings =
      check_engine(initializers.parameters(), [&] { return engine.loss(); }, {.tied = {"embedding"}});
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text("parameter 'embedding': expected another loss for each of its rows"));
}

TEST_CASE("check_engine finds a name that the model does not have") {
  Weights weights;
  OnnxWeights initializers;
  weights.add_to(initializers, "layer.weight");
  Engine engine(Graph{}, [&](Ort::SessionOptions& options) { initializers.bind(options); });
  EngineFindings const findings = check_engine(initializers.parameters(), [&] { return engine.loss(); });
  // The file's own layer of zeros hides the embedding too.
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text("the engine reads copies of these weights"));
}

TEST_CASE("weights of 16 bits are bound too") {
  DataType const dtype = GENERATE(DataType::f16, DataType::bf16);
  Weights weights;
  auto const narrowed = [&](std::vector<float> const& values) {
    std::vector<std::uint16_t> stored;
    for (float const value : values) stored.push_back(zeroth::narrow(dtype, value));
    return stored;
  };
  std::vector<std::uint16_t> embedding = narrowed(weights.embedding);
  std::vector<std::uint16_t> layer = narrowed(weights.layer);
  OnnxWeights initializers;
  initializers.add("embedding", Role::embedding, {vocabulary, width}, dtype, embedding.data());
  initializers.add("layer", Role::matrix, {width, width}, dtype, layer.data());
  Engine engine({.dtype = dtype}, [&](Ort::SessionOptions& options) { initializers.bind(options); });
  CHECK(check_engine(initializers.parameters(), [&] { return engine.loss(); }, {.tied = {"embedding"}}).ok());
}

TEST_CASE("a parameter set's vectors have one dimension, and other shapes are given") {
  std::vector<float> values(24);
  zeroth::ParameterSet set;
  set.add("norm", Role::vector, {1, 8}, std::span(values).first(8));
  set.add({.name = "part", .shape = {2, 4}, .data = &values[8], .stream = 7, .offset = 8});
  OnnxWeights const from_set(set);
  CHECK(from_set.parameters()[1].stream == 7);
  CHECK(from_set.parameters()[1].offset == 8);

  OnnxWeights initializers;
  initializers.add("filter", Role::matrix, {2, 3, 2, 2}, DataType::f32, values.data());
  CHECK(initializers.parameters()[0].shape == zeroth::Shape{2, 12});
  OnnxWeights scalar;
  scalar.add("scalar", Role::vector, {}, DataType::f32, values.data());
  CHECK(scalar.parameters()[0].shape == zeroth::Shape{1, 1});
}

TEST_CASE("initializers that cannot be tuned are rejected by name") {
  std::vector<float> values(24);
  OnnxWeights initializers;
  auto const add = [&](std::vector<std::int64_t> const& dimensions, void* data) {
    initializers.add("w", Role::matrix, dimensions, DataType::f32, data);
  };
  CHECK_THROWS_WITH(add({3, 0}, values.data()),
                    contains_text("initializer 'w': expected positive dimensions, found 0"));
  CHECK_THROWS_WITH(add({-1, 4}, values.data()), contains_text("found -1"));
  std::int64_t const large = std::int64_t{1} << 40;
  CHECK_THROWS_WITH(add({2, large, large}, values.data()), contains_text("whose product fits 64 bits"));
  CHECK_THROWS_WITH(add({3, 4}, nullptr), contains_text("parameter 'w': its data pointer is null"));
  add({3, 4}, values.data());
  CHECK_THROWS_WITH(add({3, 4}, values.data()), contains_text("another parameter already has this name"));
  // A copy of the same name, bound to the same options.
  Ort::SessionOptions options;
  initializers.bind(options);
  std::vector<float> others(12);
  OnnxWeights second;
  second.add("w", Role::matrix, {3, 4}, DataType::f32, others.data());
  CHECK_THROWS_AS(second.bind(options), Ort::Exception);
}
