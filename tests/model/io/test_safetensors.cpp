// SPDX-License-Identifier: MIT
#include "zeroth_model/io/safetensors/safetensors.hpp"

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidArgument;
using zeroth::InvalidFile;
using zeroth::model::MappedFile;
using zeroth::model::SafetensorsFile;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

class Folder {
 public:
  std::string path() const { return (folder_ / "model.safetensors").string(); }

  SafetensorsFile open(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
    return SafetensorsFile(path());
  }

  /// Opens a file with this header and this many bytes of data.
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
  CHECK_THROWS_AS(file.read(file.tensor("h"), std::span(values).first(1)), InvalidArgument);
  CHECK(file.bytes(file.tensor("i")).size() == 4);
  file.release(file.tensor("i"));
}

TEST_CASE("SafetensorsFile finds tensors by name, also after it has moved") {
  std::string header = "{";
  for (int i = 0; i < 100; ++i) {
    const std::string begin = std::to_string(2 * i);
    // Short names and long ones, which a string stores in different places.
    const std::string name = std::to_string(i) + std::string(i % 2 == 0 ? 0 : 40, 'x');
    header += (i == 0 ? "" : ",") + item(name, "I16", "[1]", "[" + begin + "," + std::to_string(2 * i + 2) + "]");
  }
  header += "}";
  const std::string bytes = Folder::length(header.size()) + header + std::string(200, '\0');
  SafetensorsFile first(MappedFile::in_memory("bytes", std::as_bytes(std::span(bytes))));
  const SafetensorsFile file(std::move(first));
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i) + std::string(i % 2 == 0 ? 0 : 40, 'x');
    REQUIRE(file.find_tensor(name) != nullptr);
    CHECK(file.find_tensor(name) == &file.tensors()[static_cast<std::size_t>(i)]);
    CHECK(&file.tensor(name) == file.find_tensor(name));
  }
  CHECK(file.find_tensor("100") == nullptr);
  CHECK(file.find_tensor("") == nullptr);
  CHECK_THROWS_WITH(file.tensor("a\nb"), "bytes: tensor 'a?b' is missing");
}

TEST_CASE("SafetensorsFile takes empty tensors, scalars and no tensors") {
  const Folder folder;
  CHECK(folder.open("{}", 0).tensors().empty());
  const std::string header = "{" + item("s", "F32", "[]", "[0,4]") + "," + item("e", "F32", "[0,7]", "[0,0]") + "}";
  const SafetensorsFile file = folder.open(header, 4);
  CHECK(file.tensor("s").values == 1);
  CHECK(file.tensor("e").values == 0);
}

TEST_CASE("SafetensorsFile opens a file with types that nothing reads, and no metadata") {
  const Folder folder;
  const std::string header = R"({"__metadata__":null,)" + item("f4", "F4", "[2,2]", "[0,2]") + "," +
                             item("f6", "F6_E3M2", "[4]", "[2,5]") + "," + item("f8", "F8_E4M3FNUZ", "[1]", "[5,6]") +
                             "," + item("w", "F16", "[1]", "[6,8]") + "}";
  const SafetensorsFile file = folder.open(header, 8);
  CHECK(file.tensor("f4").values == 4);
  CHECK(file.tensor("f6").bytes == 3);
  std::vector<float> values(4);
  file.read(file.tensor("w"), std::span(values).first(1));
  CHECK_THROWS_WITH(file.read(file.tensor("f4"), values),
                    contains_text("tensor 'f4': expected F32, F16 or BF16, found F4"));
  CHECK_THROWS_WITH(folder.open("{" + item("w", "F4", "[3]", "[0,2]") + "}", 2),
                    contains_text("tensor 'w': expected values that fill whole bytes, found 3 of 4 bits"));
  CHECK_THROWS_WITH(folder.open("{" + item("w", "F4", "[4]", "[0,4]") + "}", 4),
                    contains_text("tensor 'w': expected 2 bytes for its type and shape, found 4"));
}

TEST_CASE("SafetensorsFile rejects a damaged header and names the place") {
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
  CHECK_THROWS_WITH(folder.open(std::string(1000000, '['), 0), contains_text("header: expected values nested at most"));
  CHECK_THROWS_AS(folder.open(std::string(200000, '[') + std::string(200000, ']'), 0), InvalidFile);
  CHECK_THROWS_WITH(folder.open(R"({"__metadata__":["pt"]})", 0),
                    contains_text("key '__metadata__': expected an object, found [\"pt\"]"));
  CHECK_THROWS_WITH(folder.open(R"({"__metadata__":{"format":"pt","step":3}})", 0),
                    contains_text("key '__metadata__': expected a string for 'step', found 3"));
  CHECK_THROWS_AS(folder.open("{\"w\":1}", 0), InvalidFile);
  CHECK_THROWS_WITH(folder.open("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", 0),
                    contains_text("tensor 'w': key 'data_offsets' not found"));
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
