// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "gguf_bytes.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"

namespace {

using namespace zeroth_test::gguf_types;
using zeroth::InvalidFile;
using zeroth::model::GgufFile;
using zeroth::model::GgufTensor;
using zeroth::model::GgufWriter;
using zeroth_test::contains_text;
using zeroth_test::GgufBytes;

/// One part of a split model as gguf-split writes it. The first also has the model's metadata.
struct Part {
  std::string name{};
  std::uint16_t number = 0;
  std::uint16_t count = 3;
  std::int32_t tensors_count = 3;
  /// Names and first values of tensors of two values, the second 1 larger.
  std::vector<std::pair<std::string, float>> tensors{};
  bool with_keys = true;

  std::string bytes() const {
    GgufBytes data;
    const bool first = number == 0;
    data.header(tensors.size(), (first ? 1 : 0) + (with_keys ? 3 : 0));
    if (first) data.text("general.name").u32(t_string).text("split");
    if (with_keys) {
      data.text("split.no").u32(t_uint16).u16(number).text("split.count").u32(t_uint16).u16(count);
      data.text("split.tensors.count").u32(t_int32).put(tensors_count);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) data.tensor(tensors[i].first, {2}, 0, i * 32);
    for (const auto& tensor : tensors) data.pad().put(tensor.second).put(tensor.second + 1);
    return data.data();
  }
};

/// A model of three parts, the first without tensors.
std::vector<Part> three_parts() {
  return {{.name = "m-00001-of-00003.gguf", .number = 0},
          {.name = "m-00002-of-00003.gguf", .number = 1, .tensors = {{"a", 1.0f}, {"b", 3.0f}}},
          {.name = "m-00003-of-00003.gguf", .number = 2, .tensors = {{"c", 5.0f}}}};
}

class Folder {
 public:
  explicit Folder(const std::vector<Part>& parts) {
    for (const Part& part : parts) std::ofstream(folder_ / part.name, std::ios::binary) << part.bytes();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// The message of opening `name`, without the folder.
  std::string refusal(const std::string& name = "m-00001-of-00003.gguf") const {
    try {
      const GgufFile file(path(name));
    } catch (const InvalidFile& error) {
      std::string message = error.what();
      const std::string folder = folder_.path().string() + "/";
      for (std::size_t at = 0; (at = message.find(folder, at)) != std::string::npos;) message.erase(at, folder.size());
      return message;
    }
    return "accepted";
  }

 private:
  zeroth_test::TemporaryDirectory folder_;
};

std::vector<float> values_of(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> values(tensor.values);
  file.read(tensor, values);
  return values;
}

}  // namespace

TEST_CASE("GgufFile opens all parts of a split model") {
  const Folder folder(three_parts());
  GgufFile opened(folder.path("m-00001-of-00003.gguf"));
  const GgufFile file = std::move(opened);
  CHECK(file.path() == folder.path("m-00001-of-00003.gguf"));
  CHECK(file.parts() == 3);
  CHECK(file.get<std::string_view>("general.name") == "split");
  CHECK(file.metadata().size() == 4);
  REQUIRE(file.tensors().size() == 3);
  const std::vector<std::string_view> names = {"a", "b", "c"};
  for (std::size_t i = 0; i < 3; ++i) {
    const GgufTensor& tensor = file.tensors()[i];
    CHECK(tensor.name == names[i]);
    CHECK(&file.tensor(names[i]) == &tensor);
    const float first = 1.0f + 2.0f * static_cast<float>(i);
    CHECK(file.bytes(tensor).size() == 8);
    CHECK(values_of(file, tensor) == std::vector<float>{first, first + 1});
  }
  CHECK(file.find_tensor("d") == nullptr);
}

TEST_CASE("GgufFile takes a file whose keys say that it is not split") {
  const auto opened = [](Part part) {
    part.name = "model.gguf";
    part.tensors = {{"a", 1.0f}};
    const Folder folder({part});
    return GgufFile(folder.path("model.gguf")).parts();
  };
  CHECK(opened({.number = 0, .with_keys = false}) == 1);
  CHECK(opened({.number = 0, .count = 1, .tensors_count = 1}) == 1);
  CHECK(opened({.number = 0, .count = 0, .tensors_count = 0}) == 1);
}

TEST_CASE("GgufFile names the part of a split model that is missing or damaged") {
  for (const std::size_t missing : {std::size_t{1}, std::size_t{2}}) {
    auto parts = three_parts();
    const std::string name = parts[missing].name;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(missing));
    CHECK(Folder(parts).refusal() == name + ": cannot open: No such file or directory");
  }
  const Folder folder(three_parts());
  const std::string last = folder.path("m-00003-of-00003.gguf");
  std::filesystem::resize_file(last, std::filesystem::file_size(last) - 1);
  CHECK_THAT(folder.refusal(), contains_text("m-00003-of-00003.gguf: tensor 'c': needs 8 bytes"));
}

TEST_CASE("GgufFile wants the first part of a split model and says which that is") {
  const Folder folder(three_parts());
  CHECK(folder.refusal() == "accepted");
  CHECK(folder.refusal("m-00003-of-00003.gguf") ==
        "m-00003-of-00003.gguf: metadata key 'split.no': expected the first part, m-00001-of-00003.gguf, found part 3 "
        "of 3");
  auto parts = three_parts();
  parts[1].name = "renamed.gguf";
  CHECK(Folder(parts).refusal("renamed.gguf") ==
        "renamed.gguf: metadata key 'split.no': expected the first part, found part 2 of 3");
  parts = three_parts();
  parts[0].name = "renamed.gguf";
  CHECK(Folder(parts).refusal("renamed.gguf") ==
        "renamed.gguf: expected the name of part 1 of 3 to end with '-00001-of-00003.gguf', by which the other parts "
        "are found");
}

TEST_CASE("GgufFile rejects parts that do not agree about the split") {
  const auto refusal = [](auto change) {
    auto parts = three_parts();
    change(parts);
    return Folder(parts).refusal();
  };
  CHECK(refusal([](auto& parts) { parts[1].number = 2; }) ==
        "m-00002-of-00003.gguf: metadata key 'split.no': expected 1, found 2");
  CHECK(refusal([](auto& parts) { parts[2].count = 4; }) ==
        "m-00003-of-00003.gguf: metadata key 'split.count': expected 3, found 4");
  CHECK(refusal([](auto& parts) { parts[2].tensors_count = 4; }) ==
        "m-00003-of-00003.gguf: metadata key 'split.tensors.count': expected 3, found 4");
  CHECK(refusal([](auto& parts) { parts[1].with_keys = false; }) ==
        "m-00002-of-00003.gguf: metadata key 'split.no': expected an unsigned integer below 2^32, found none");
  CHECK(refusal([](auto& parts) {
          for (Part& part : parts) part.tensors_count = 4;
        }) ==
        "m-00001-of-00003.gguf: metadata key 'split.tensors.count': expected the tensors of all 3 parts, 3, "
        "found 4");
  CHECK_THAT(refusal([](auto& parts) {
               for (Part& part : parts) part.tensors_count = -1;
             }),
             contains_text("metadata key 'split.tensors.count': expected an unsigned integer below 2^32, found -1"));
  CHECK(refusal([](auto& parts) { parts[0].count = 4; }) ==
        "m-00001-of-00003.gguf: expected the name of part 1 of 4 to end with '-00001-of-00004.gguf', by which the "
        "other parts are found");
  CHECK(refusal([](auto& parts) { parts[2].tensors[0].first = "b"; }) ==
        "m-00003-of-00003.gguf: tensor 'b': expected once in all parts, found in m-00002-of-00003.gguf too");
}

TEST_CASE("GgufFile rejects a huge number of parts before it opens one") {
  const zeroth_test::TemporaryDirectory folder;
  const std::string path = (folder / "m-00001-of-70000.gguf").string();
  GgufWriter writer(path);
  writer.set("split.no", std::uint32_t{0});
  writer.set("split.count", std::uint32_t{70000});
  writer.set("split.tensors.count", std::uint32_t{0});
  writer.commit();
  CHECK_THROWS_WITH(GgufFile(path), contains_text("metadata key 'split.count': expected at most 65535, found 70000"));
}

TEST_CASE("GgufWriter makes one file of a split model") {
  const Folder folder(three_parts());
  const GgufFile source(folder.path("m-00001-of-00003.gguf"));
  GgufWriter writer(folder.path("one.gguf"));
  writer.copy_metadata(source);
  for (const GgufTensor& tensor : source.tensors()) writer.add_tensor(tensor.name, tensor.dims);
  for (const GgufTensor& tensor : source.tensors()) writer.write(tensor.name, values_of(source, tensor));
  writer.commit();

  const GgufFile one(folder.path("one.gguf"));
  CHECK(one.parts() == 1);
  REQUIRE(one.metadata().size() == 1);
  CHECK(one.metadata()[0].key == "general.name");
  for (const GgufTensor& tensor : source.tensors()) {
    CHECK(values_of(one, one.tensor(tensor.name)) == values_of(source, tensor));
  }
}
