// SPDX-License-Identifier: MIT
#include "zeroth_model/io/safetensors/safetensors_folder_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/safetensors/safetensors_checkpoint.hpp"

namespace {

using zeroth::InvalidArgument;
using zeroth::model::AtomicDirectory;
using zeroth::model::SafetensorsCheckpoint;
using zeroth::model::SafetensorsFolderWriter;
using zeroth::model::TensorType;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Shape = std::vector<std::uint64_t>;
using Names = std::vector<std::string>;

std::string tensor_name(std::size_t i) {
  return "t" + std::to_string(i);
}

/// Saves tensors t0, t1, ... with this many values in parts of at most `part_bytes`; tensor i holds i + 0, i + 1, ...
void save(const std::filesystem::path& folder, const std::vector<std::uint64_t>& sizes, std::uint64_t part_bytes,
          TensorType type = TensorType::f32) {
  AtomicDirectory directory(folder);
  SafetensorsFolderWriter writer(directory, part_bytes);
  for (std::size_t i = 0; i < sizes.size(); ++i) writer.add_tensor(tensor_name(i), Shape{sizes[i]}, type);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::vector<float> values(sizes[i]);
    std::iota(values.begin(), values.end(), static_cast<float>(i));
    writer.write(tensor_name(i), std::span(values).first(1));
    if (values.size() > 1) writer.write(tensor_name(i), std::span(values).subspan(1));
  }
  writer.commit();
  CHECK_FALSE(std::filesystem::exists(folder));
  directory.commit();
}

Names files_of(const std::filesystem::path& folder) {
  Names names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// The tensors of each part, in the order of their bytes, checked for their values.
std::vector<Names> parts_of(const std::filesystem::path& folder) {
  const SafetensorsCheckpoint checkpoint(folder);
  std::vector<Names> parts(checkpoint.parts().size());
  for (const auto& tensor : checkpoint.tensors()) {
    parts[tensor.part].push_back(tensor.name);
    std::vector<float> values(tensor.values);
    checkpoint.read(tensor, values);
    std::vector<float> expected(tensor.values);
    std::iota(expected.begin(), expected.end(), std::stof(tensor.name.substr(1)));
    CHECK(values == expected);
  }
  return parts;
}

}  // namespace

TEST_CASE("SafetensorsFolderWriter writes one file where the tensors fit") {
  const TemporaryDirectory folder;
  save(folder / "out", {2, 3, 5}, 40);
  CHECK(files_of(folder / "out") == Names{"model.safetensors"});
  CHECK(parts_of(folder / "out") == std::vector<Names>{{"t0", "t1", "t2"}});
  save(folder / "half", {2, 3, 5}, 20, TensorType::bf16);
  CHECK(files_of(folder / "half") == Names{"model.safetensors"});
  save(folder / "large", {100}, 20);
  CHECK(files_of(folder / "large") == Names{"model.safetensors"});
  save(folder / "empty", {}, 20);
  CHECK(files_of(folder / "empty") == Names{"model.safetensors"});
}

TEST_CASE("SafetensorsFolderWriter cuts where transformers does") {
  const TemporaryDirectory folder;
  // The same split that huggingface_hub makes of tensors of these sizes: full parts, a part with one large tensor that
  // precedes the part open at that time, and a last part.
  save(folder / "out", {2, 3, 5, 1, 9, 100, 10, 11, 1}, 40);
  CHECK(parts_of(folder / "out") ==
        std::vector<Names>{{"t0", "t1", "t2"}, {"t5"}, {"t3", "t4"}, {"t7"}, {"t6"}, {"t8"}});
  Names names;
  for (int i = 1; i <= 6; ++i) names.push_back("model-0000" + std::to_string(i) + "-of-00006.safetensors");
  names.emplace_back("model.safetensors.index.json");
  CHECK(files_of(folder / "out") == names);

  std::ifstream stream(folder / "out" / "model.safetensors.index.json");
  const auto index = nlohmann::json::parse(stream);
  CHECK(index["metadata"] == nlohmann::json{{"total_parameters", 142}, {"total_size", 568}});
  CHECK(index["weight_map"].size() == 9);
  CHECK(index["weight_map"]["t5"] == "model-00002-of-00006.safetensors");
}

TEST_CASE("SafetensorsFolderWriter cuts by the bytes of each tensor's type") {
  const TemporaryDirectory folder;
  save(folder / "out", {10, 10, 10}, 40, TensorType::f16);
  CHECK(parts_of(folder / "out") == std::vector<Names>{{"t0", "t1"}, {"t2"}});
  const SafetensorsCheckpoint checkpoint(folder / "out");
  CHECK(checkpoint.tensor("t2").dtype == "F16");
}

TEST_CASE("SafetensorsFolderWriter rejects calls out of order and names the tensor") {
  const TemporaryDirectory folder;
  const std::vector<float> values(6);
  {
    AtomicDirectory directory(folder / "out");
    SafetensorsFolderWriter writer(directory, 24);
    writer.add_tensor("a", Shape{2, 3});
    writer.add_tensor("b", Shape{1});
    CHECK_THROWS_WITH(writer.add_tensor("a", Shape{2}),
                      (folder / "out").string() + ": tensor 'a': expected once, found twice");
    CHECK_THROWS_AS(writer.add_tensor("__metadata__", Shape{2}), InvalidArgument);
    CHECK_THROWS_WITH(writer.add_tensor("x", Shape{0}), contains_text("tensor 'x': expected sizes of at least 1"));
    CHECK_THROWS_WITH(writer.add_tensor("x", Shape{32}, TensorType::q4_0), contains_text("found Q4_0"));
    CHECK_THROWS_WITH(writer.commit(), contains_text("tensor 'a': expected 6 values, found 0"));
    CHECK_THROWS_WITH(writer.write("b", values), contains_text("tensor 'b': expected at most 6 values of 'a'"));
    writer.write("a", std::span(values).first(5));
    CHECK_THROWS_WITH(writer.add_tensor("x", Shape{1}), contains_text("expected all tensors before"));
    CHECK_THROWS_AS(writer.write("a", std::span(values).first(2)), InvalidArgument);
    CHECK_THROWS_WITH(writer.commit(), contains_text("tensor 'a': expected 6 values, found 5"));
    writer.write("a", std::span(values).first(1));
    CHECK_THROWS_WITH(writer.commit(), contains_text("tensor 'b': expected 1 values, found 0"));
    writer.write("b", std::span(values).first(1));
    CHECK_THROWS_WITH(writer.write("b", std::span(values).first(1)), contains_text("expected no more values"));
    writer.commit();
  }
  // Without the directory's commit there are no files.
  CHECK(files_of(folder.path()).empty());
}
