// SPDX-License-Identifier: MIT
#include "zeroth/model/format/safetensors.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidArgument;
using zeroth::InvalidFile;
using zeroth::model::SafetensorsFile;
using zeroth::model::SafetensorsWriter;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Shape = std::vector<std::uint64_t>;

class Folder {
 public:
  std::string path() const { return (folder_ / "model.safetensors").string(); }

  SafetensorsFile open(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
    return SafetensorsFile(path());
  }

  /// Opens a file of this header and this many bytes of data.
  SafetensorsFile open(const std::string& header, std::size_t data) const {
    return open(length(header.size()) + header + std::string(data, '\0'));
  }

  static std::string length(std::uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

 private:
  TemporaryDirectory folder_;
};

std::string item(const std::string& name, const std::string& dtype, const std::string& shape,
                 const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

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

TEST_CASE("SafetensorsWriter refuses calls out of order and names the tensor") {
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
  writer.add_tensor("\xff", Shape{1});
  CHECK_THROWS_WITH(writer.commit(), contains_text("UTF-8"));
}

TEST_CASE("SafetensorsFile decodes halves and refuses to decode integers") {
  const Folder folder;
  const std::string header = "{" + item("i", "I16", "[2]", "[8,12]") + "," + item("h", "F16", "[1,2]", "[0,4]") + "," +
                             item("b", "BF16", "[2]", "[4,8]") + R"(,"__metadata__":{"made":"by hand"}})";
  const std::string data("\x00\x3c\x00\xc0\x80\x3f\x00\xc0\x01\x00\x02\x00", 12);
  const SafetensorsFile file = folder.open(Folder::length(header.size()) + header + data);
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "h");
  for (const char* name : {"h", "b"}) {
    std::vector<float> values(2);
    file.read(file.tensor(name), values);
    CHECK(values == std::vector<float>{1, -2});
  }
  std::vector<float> values(2);
  CHECK_THROWS_WITH(file.read(file.tensor("i"), values),
                    contains_text("tensor 'i': expected F32, F16 or BF16, found I16"));
  CHECK(file.bytes(file.tensor("i")).size() == 4);
}

TEST_CASE("SafetensorsFile takes empty tensors, scalars and no tensors") {
  const Folder folder;
  CHECK(folder.open("{}", 0).tensors().empty());
  const std::string header = "{" + item("s", "F32", "[]", "[0,4]") + "," + item("e", "F32", "[0,7]", "[0,0]") + "}";
  const SafetensorsFile file = folder.open(header, 4);
  CHECK(file.tensor("s").values == 1);
  CHECK(file.tensor("e").values == 0);
}

TEST_CASE("SafetensorsFile refuses a damaged header and names the place") {
  const Folder folder;
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return folder.open("{" + item("w", dtype, shape, offsets) + "}", 16);
  };
  CHECK_NOTHROW(one("F32", "[2,2]", "[0,16]"));
  CHECK_THROWS_WITH(folder.open("1234"),
                    contains_text("model.safetensors: header: expected at least 8 bytes, found 4"));
  CHECK_THROWS_WITH(folder.open(Folder::length(~std::uint64_t{0}) + "{}"),
                    contains_text("its length, 18446744073709551615 bytes, does not fit the file's 10"));
  CHECK_THROWS_WITH(folder.open(Folder::length(3) + "{}"), contains_text("does not fit"));
  CHECK_THROWS_WITH(folder.open("{\"w\":", 0), contains_text("header: ") && contains_text("parse error"));
  CHECK_THROWS_WITH(folder.open("[1]", 0), contains_text("expected a JSON object, found array"));
  CHECK_THROWS_AS(folder.open(std::string(1000000, '['), 0), InvalidFile);
  CHECK_THROWS_AS(folder.open(std::string(200000, '[') + std::string(200000, ']'), 0), InvalidFile);
  CHECK_THROWS_AS(folder.open("{\"w\":1}", 0), InvalidFile);
  CHECK_THROWS_WITH(folder.open("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", 0), contains_text("tensor 'w': "));
  CHECK_THROWS_WITH(
      folder.open("{" + item("w", "F32", "[2]", "[0,8]") + "," + item("w", "F32", "[2]", "[8,16]") + "}", 16),
      contains_text("key 'w': expected once, found twice"));

  CHECK_THROWS_WITH(one("Q4", "[2,2]", "[0,16]"), contains_text("tensor 'w': expected a known dtype, found 'Q4'"));
  CHECK_THROWS_WITH(one("F32", "[2,3]", "[0,16]"),
                    contains_text("tensor 'w': expected 24 bytes for its type and shape, found 16"));
  CHECK_THROWS_WITH(one("F32", "[2,-2]", "[0,16]"), contains_text("expected an unsigned integer"));
  CHECK_THROWS_WITH(one("F32", "[2,2.0]", "[0,16]"), contains_text("expected an unsigned integer"));
  CHECK_THROWS_AS(one("F32", R"({"a":4})", "[0,16]"), InvalidFile);
  // The product is 4 modulo 2^64.
  CHECK_THROWS_WITH(one("F32", "[4294967296,4294967296,4]", "[0,16]"), contains_text("at most 2^40"));
  CHECK_THROWS_WITH(one("F32", "[2,2]", "[0,20]"), contains_text("needs the bytes from 0 to 20 of the data, but"));
  CHECK_THROWS_WITH(one("F32", "[2,2]", "[16,0]"), contains_text("needs the bytes from 16 to 0"));
  CHECK_THROWS_WITH(one("F32", "[2,2]", "[0,16,32]"), contains_text("expected two data_offsets, found 3"));
  CHECK_THROWS_WITH(one("F32", "[2,2]", "[0,18446744073709551616]"), contains_text("expected an unsigned integer"));
  CHECK_THROWS_WITH(one("F32", "[3]", "[4,16]"), contains_text("tensor 'w': expected its data to begin at byte 0"));
  CHECK_THROWS_WITH(one("F32", "[3]", "[0,12]"), contains_text("data: expected 12 bytes, found 16"));
  CHECK_THROWS_WITH(
      folder.open("{" + item("a", "F32", "[3]", "[0,12]") + "," + item("b", "F32", "[2]", "[8,16]") + "}", 16),
      contains_text("tensor 'b': expected its data to begin at byte 12") && contains_text("found 8"));
}
