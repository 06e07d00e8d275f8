// SPDX-License-Identifier: MIT
#include "zeroth_model/io/gguf/gguf_writer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "paths.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidArgument;
using zeroth::model::GgufFile;
using zeroth::model::GgufTensor;
using zeroth::model::GgufWriter;
using zeroth::model::TensorType;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Dims = std::vector<std::uint64_t>;

std::vector<float> values_of(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> values(tensor.values);
  file.read(tensor, values);
  return values;
}

}  // namespace

TEST_CASE("GgufWriter copies a quantised model into an F32 one") {
  const TemporaryDirectory folder;
  const GgufFile source((zeroth_test::tests_directory() / "golden" / "quantized.gguf").string());
  const std::string path = (folder / "copy.gguf").string();
  {
    GgufWriter writer(path);
    writer.copy_metadata(source);
    writer.set("general.name", "a copy");
    writer.set("zeroth.steps", std::uint32_t{7});
    for (const GgufTensor& tensor : source.tensors()) writer.add_tensor(tensor.name, tensor.dims);
    for (const GgufTensor& tensor : source.tensors()) {
      const auto values = values_of(source, tensor);
      // In two parts, as an engine that decodes a panel at a time would.
      const std::size_t half = values.size() / 2;
      writer.write(tensor.name, std::span(values).first(half));
      writer.write(tensor.name, std::span(values).subspan(half));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    writer.commit();
  }

  const GgufFile copy(path);
  CHECK(copy.version() == 3);
  CHECK(copy.get<std::string_view>("general.name") == "a copy");
  CHECK(copy.get<std::uint32_t>("zeroth.steps") == 7);
  CHECK(copy.metadata().size() == source.metadata().size() + 1);
  for (std::size_t i = 0; i < source.metadata().size(); ++i) {
    const auto& expected = source.metadata()[i];
    const auto& found = copy.metadata()[i];
    INFO(expected.key);
    CHECK(found.key == expected.key);
    CHECK(found.type == expected.type);
    if (expected.key == "general.name") continue;
    CHECK(std::equal(found.value.begin(), found.value.end(), expected.value.begin(), expected.value.end()));
  }
  REQUIRE(copy.tensors().size() == source.tensors().size());
  for (const GgufTensor& tensor : source.tensors()) {
    INFO(tensor.name);
    CHECK(copy.tensor(tensor.name).type == TensorType::f32);
    CHECK(copy.tensor(tensor.name).dims == tensor.dims);
    CHECK((values_of(copy, copy.tensor(tensor.name)) == values_of(source, tensor)));
  }
}

TEST_CASE("GgufWriter writes every type of metadata") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "model.gguf").string();
  GgufWriter writer(path);
  writer.set("a", true);
  writer.set("b", std::string_view("text"));
  writer.set("c", 1.5f);
  writer.set("d", 0.1);
  writer.set("e", std::uint32_t{1});
  writer.set("f", std::int32_t{-2});
  writer.set("g", std::uint64_t{1} << 40);
  writer.set("h", -(std::int64_t{1} << 40));
  const std::vector<std::string_view> words = {"one", "", "three"};
  writer.set_array<std::string_view>("i", words);
  const std::vector<std::int32_t> numbers = {1, -3};
  writer.set_array<std::int32_t>("j", numbers);
  writer.set("k", std::uint32_t{3});
  writer.erase("k");
  writer.commit();

  const GgufFile file(path);
  CHECK(file.metadata().size() == 10);
  CHECK(file.get<bool>("a"));
  CHECK(file.get<std::string_view>("b") == "text");
  CHECK(file.get<float>("c") == 1.5f);
  CHECK(file.get<double>("d") == 0.1);
  CHECK(file.get<std::uint32_t>("e") == 1);
  CHECK(file.get<std::int32_t>("f") == -2);
  CHECK(file.get<std::uint64_t>("g") == std::uint64_t{1} << 40);
  CHECK(file.get<std::int64_t>("h") == -(std::int64_t{1} << 40));
  CHECK(file.get_array<std::string_view>("i") == words);
  CHECK(file.get_array<std::int32_t>("j") == numbers);
}

TEST_CASE("GgufWriter does not copy how a model's file stored its tensors") {
  const TemporaryDirectory folder;
  const std::string first = (folder / "first.gguf").string();
  const std::string second = (folder / "second.gguf").string();
  {
    GgufWriter writer(first);
    writer.set("general.file_type", std::uint32_t{3});
    writer.set("general.quantization_version", std::uint32_t{2});
    writer.set("split.count", std::uint32_t{1});
    writer.set("splitting", std::uint32_t{1});
    writer.commit();
  }
  GgufWriter writer(second);
  writer.set("general.file_type", zeroth::model::gguf_file_type(TensorType::bf16));
  writer.copy_metadata(GgufFile(first));
  writer.commit();
  const GgufFile file(second);
  CHECK(file.get<std::uint32_t>("general.file_type") == 32);
  CHECK(file.get<std::uint32_t>("splitting") == 1);
  CHECK(file.metadata().size() == 2);
}

TEST_CASE("GgufWriter rounds to the type of the tensor") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "model.gguf").string();
  // An odd number of values, and more than are rounded at a time.
  std::vector<float> values(10001);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = (static_cast<float>(i) - 5000.0f) * 1.7f;
  const std::vector<std::pair<std::string, TensorType>> tensors = {
      {"half", TensorType::f16}, {"float", TensorType::f32}, {"brain", TensorType::bf16}, {"last", TensorType::f32}};
  GgufWriter writer(path);
  for (const auto& [name, type] : tensors) writer.add_tensor(name, Dims{values.size()}, type);
  for (const auto& [name, type] : tensors) {
    writer.write(name, std::span(values).first(4999));
    writer.write(name, std::span(values).subspan(4999));
  }
  writer.commit();

  const GgufFile file(path);
  for (const auto& [name, type] : tensors) {
    INFO(name);
    CHECK(file.tensor(name).type == type);
    const auto found = values_of(file, file.tensor(name));
    std::vector<float> expected = values;
    for (float& value : expected) {
      if (type == TensorType::f16) value = zeroth::half_to_float(zeroth::float_to_half(value));
      if (type == TensorType::bf16) value = zeroth::bfloat16_to_float(zeroth::float_to_bfloat16(value));
    }
    CHECK((found == expected));
    CHECK((found == values) == (type == TensorType::f32));
  }
}

TEST_CASE("GgufWriter rejects values beyond the range of the tensor's type") {
  const TemporaryDirectory folder;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float max = std::numeric_limits<float>::max();
  GgufWriter writer((folder / "model.gguf").string());
  writer.add_tensor("half", Dims{4}, TensorType::f16);
  writer.add_tensor("brain", Dims{2}, TensorType::bf16);
  CHECK_THROWS_WITH(writer.add_tensor("x", Dims{32}, TensorType::q5_0),
                    contains_text("expected type F32, F16, BF16, Q8_0 or Q4_0"));
  CHECK_THROWS_WITH(writer.add_tensor("x", Dims{33, 2}, TensorType::q8_0), contains_text("multiple of 32 values"));
  CHECK_THROWS_WITH(writer.write("half", std::vector<float>{1, -65520, 3, 4}),
                    contains_text("tensor 'half': expected values in the range of F16, found -65520"));
  writer.write("half", std::vector<float>{1, 65519, -infinity, std::nanf("")});
  CHECK_THROWS_WITH(writer.write("brain", std::vector<float>{1, max}),
                    contains_text("in the range of BF16, found 3402"));
  writer.write("brain", std::vector<float>{infinity, 0x1.fep127f});
  writer.commit();

  const GgufFile file((folder / "model.gguf").string());
  const auto halves = values_of(file, file.tensor("half"));
  CHECK(halves[1] == 65504.0f);
  CHECK(halves[2] == -infinity);
  CHECK(std::isnan(halves[3]));
  CHECK(values_of(file, file.tensor("brain")) == std::vector<float>{infinity, 0x1.fep127f});
  CHECK_THROWS_AS(zeroth::model::gguf_file_type(TensorType::q5_0), InvalidArgument);
}

TEST_CASE("GgufWriter rejects calls out of order and names the tensor") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "model.gguf").string();
  const std::vector<float> values(6, 1.0f);
  {
    GgufWriter writer(path);
    writer.add_tensor("w", Dims{3, 2});
    writer.add_tensor("v", Dims{5});
    CHECK_THROWS_WITH(writer.add_tensor("w", Dims{3}), contains_text("tensor 'w': expected once, found twice"));
    CHECK_THROWS_AS(writer.add_tensor("x", Dims{}), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("x", (Dims{1, 1, 1, 1, 1})), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("x", (Dims{0})), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("x", (Dims{std::uint64_t{1} << 32, std::uint64_t{1} << 32})), InvalidArgument);
    CHECK_THROWS_AS(writer.set("general.alignment", std::uint32_t{64}), InvalidArgument);

    CHECK_THROWS_WITH(writer.write("v", std::span(values).first(5)),
                      contains_text("expected at most 6 values of 'w', found 5 values of 'v'"));
    writer.write("w", std::span(values).first(4));
    CHECK_THROWS_WITH(writer.write("w", values), contains_text("expected at most 2 values of 'w', found 6"));
    CHECK_THROWS_AS(writer.set("late", true), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("late", Dims{1}), InvalidArgument);
    CHECK_THROWS_WITH(writer.commit(), contains_text("tensor 'w': expected 6 values, found 4"));
    writer.write("w", std::span(values).first(2));
    writer.write("v", std::span(values).first(5));
    CHECK_THROWS_WITH(writer.write("v", std::span(values).first(1)), contains_text("expected no more values"));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}
