// SPDX-License-Identifier: MIT
#include "zeroth_model/io/safetensors/safetensors_writer.hpp"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/safetensors/safetensors.hpp"

namespace {

using zeroth::InvalidArgument;
using zeroth::model::SafetensorsFile;
using zeroth::model::SafetensorsWriter;
using zeroth::model::TensorType;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Shape = std::vector<std::uint64_t>;

class Folder {
 public:
  std::string path() const { return (folder_ / "model.safetensors").string(); }

 private:
  TemporaryDirectory folder_;
};

}  // namespace

TEST_CASE("SafetensorsWriter writes what SafetensorsFile reads") {
  const Folder folder;
  const std::vector<float> matrix = {1, 2, 3, 4, 5, 6};
  const std::vector<float> vector = {-1, 0.5f};
  {
    SafetensorsWriter writer(folder.path());
    writer.add_tensor("z.weight", Shape{2, 3});
    writer.add_tensor("a \"quoted\" name", Shape{2});
    writer.write("z.weight", std::span(matrix).first(4));
    writer.write("z.weight", std::span(matrix).subspan(4));
    CHECK_FALSE(std::filesystem::exists(folder.path()));
    writer.write("a \"quoted\" name", vector);
    writer.commit();
  }
  const SafetensorsFile file(folder.path());
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensors()[0].name == "z.weight");
  CHECK(file.tensors()[0].dtype == "F32");
  CHECK(file.tensors()[0].shape == Shape{2, 3});
  CHECK(file.tensors()[0].offset % 8 == 0);
  std::vector<float> values(6);
  file.read(file.tensor("z.weight"), values);
  CHECK(values == matrix);
  CHECK_THROWS_AS(file.read(file.tensor("z.weight"), std::span(values).first(5)), InvalidArgument);
  values.resize(2);
  file.read(file.tensor("a \"quoted\" name"), values);
  CHECK(values == vector);
  CHECK_THROWS_WITH(file.tensor("absent"), contains_text("model.safetensors: tensor 'absent' is missing"));

  std::ifstream stream(folder.path(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  CHECK_THAT(bytes, contains_text(R"({"__metadata__":{"format":"pt"},"z.weight":{"dtype":"F32","shape":[2,3],)"
                                  R"("data_offsets":[0,24]})"));
}

TEST_CASE("SafetensorsWriter rejects calls out of order and names the tensor") {
  const Folder folder;
  const std::vector<float> values(6);
  {
    SafetensorsWriter writer(folder.path());
    writer.add_tensor("w", Shape{2, 3});
    CHECK_THROWS_WITH(writer.add_tensor("w", Shape{2}), contains_text("tensor 'w': expected once, found twice"));
    CHECK_THROWS_AS(writer.add_tensor("__metadata__", Shape{2}), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("x", Shape{0}), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("x", (Shape{1ull << 32, 1ull << 32})), InvalidArgument);
    CHECK_THROWS_WITH(writer.write("v", values),
                      contains_text("tensor 'v': expected at most 6 values of 'w', found 6"));
    writer.write("w", std::span(values).first(5));
    CHECK_THROWS_AS(writer.write("w", std::span(values).first(2)), InvalidArgument);
    CHECK_THROWS_AS(writer.add_tensor("late", Shape{1}), InvalidArgument);
    CHECK_THROWS_WITH(writer.commit(), contains_text("tensor 'w': expected 6 values, found 5"));
    writer.write("w", std::span(values).first(1));
    CHECK_THROWS_WITH(writer.write("w", std::span(values).first(1)), contains_text("expected no more values"));
  }
  CHECK_FALSE(std::filesystem::exists(folder.path()));
  SafetensorsWriter writer(folder.path());
  CHECK_THROWS_WITH(writer.add_tensor("q", Shape{32}, TensorType::q8_0),
                    contains_text("tensor 'q': expected a type among F32, F16, BF16, found Q8_0"));
  writer.add_tensor("\xff", Shape{1});
  CHECK_THROWS_WITH(writer.commit(), contains_text("UTF-8"));
}

TEST_CASE("SafetensorsWriter rounds to the type of each tensor") {
  const Folder folder;
  // More than one buffer of narrowed values, whole and in parts.
  std::vector<float> values(10001);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::ldexp(1 + static_cast<float>(i) / 10001, int(i % 20) - 10);
  values[5] = 1e6F;
  {
    SafetensorsWriter writer(folder.path());
    writer.add_tensor("f32", Shape{10001}, TensorType::f32);
    writer.add_tensor("f16", Shape{10001}, TensorType::f16);
    writer.add_tensor("bf16", Shape{73, 137}, TensorType::bf16);
    writer.write("f32", values);
    writer.write("f16", values);
    writer.write("bf16", std::span(values).first(4097));
    writer.write("bf16", std::span(values).subspan(4097));
    writer.commit();
  }
  const SafetensorsFile file(folder.path());
  CHECK(file.tensor("f16").dtype == "F16");
  CHECK(file.tensor("f16").bytes == 20002);
  CHECK(file.tensor("bf16").dtype == "BF16");
  CHECK(file.tensor("bf16").shape == Shape{73, 137});
  std::vector<float> read(values.size());
  file.read(file.tensor("f32"), read);
  CHECK(read == values);
  file.read(file.tensor("f16"), read);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < read.size(); ++i)
    wrong += read[i] != zeroth::half_to_float(zeroth::float_to_half(values[i]));
  CHECK(wrong == 0);
  CHECK(std::isinf(read[5]));
  file.read(file.tensor("bf16"), read);
  for (std::size_t i = 0; i < read.size(); ++i)
    wrong += read[i] != zeroth::bfloat16_to_float(zeroth::float_to_bfloat16(values[i]));
  CHECK(wrong == 0);
}

TEST_CASE("SafetensorsWriter refuses to put F32 tensors where they are not aligned") {
  const Folder folder;
  SafetensorsWriter writer(folder.path());
  writer.add_tensor("odd", Shape{3}, TensorType::bf16);
  CHECK_THROWS_WITH(writer.add_tensor("w", Shape{1}),
                    contains_text("tensor 'w': expected a multiple of 4 bytes before values of F32, found 6"));
  writer.add_tensor("even", Shape{1}, TensorType::f16);
  CHECK_NOTHROW(writer.add_tensor("w", Shape{1}));
}

TEST_CASE("SafetensorsWriter writes a file without tensors") {
  const Folder folder;
  SafetensorsWriter(folder.path()).commit();
  CHECK(SafetensorsFile(folder.path()).tensors().empty());
}
