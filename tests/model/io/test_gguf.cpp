// SPDX-License-Identifier: MIT
#include "zeroth_model/io/gguf/gguf.hpp"

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "gguf_bytes.hpp"
#include "paths.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidFile;
using zeroth::model::GgufFile;
using zeroth::model::GgufTensor;
using zeroth::model::MappedFile;
using zeroth::model::TensorType;
using zeroth_test::contains_text;
using namespace zeroth_test::gguf_types;
using Bytes = zeroth_test::GgufBytes;
using zeroth_test::TemporaryDirectory;

class Folder {
 public:
  GgufFile open(std::string_view data) const {
    const std::string path = (folder_ / "model.gguf").string();
    std::ofstream(path, std::ios::binary) << data;
    return GgufFile(path);
  }
  GgufFile open(const Bytes& bytes) const { return open(bytes.data()); }

 private:
  TemporaryDirectory folder_;
};

}  // namespace

TEST_CASE("GgufFile reads every type of metadata") {
  const Folder folder;
  const std::uint32_t version = GENERATE(2u, 3u);
  Bytes bytes;
  bytes.header(0, 15, version);
  bytes.text("a").u32(t_uint8).put<std::uint8_t>(200);
  bytes.text("b").u32(t_int8).put<std::int8_t>(-3);
  bytes.text("c").u32(t_uint16).put<std::uint16_t>(60000);
  bytes.text("d").u32(t_int16).put<std::int16_t>(-300);
  bytes.text("e").u32(t_uint32).put<std::uint32_t>(4000000000u);
  bytes.text("f").u32(t_int32).put<std::int32_t>(-70000);
  bytes.text("g").u32(t_float32).put(1.5f);
  bytes.text("h").u32(t_bool).put<std::uint8_t>(1);
  bytes.text("i").u32(t_string).text("llama");
  bytes.text("j").u32(t_uint64).u64(1ull << 40);
  bytes.text("k").u32(t_int64).put<std::int64_t>(-5);
  bytes.text("l").u32(t_float64).put(0.1);
  bytes.text("m").u32(t_array).u32(t_string).u64(2).text("ab").text("");
  bytes.text("n").u32(t_array).u32(t_int32).u64(3).u32(1).u32(3).u32(6);
  bytes.text("o").u32(t_array).u32(t_array).u64(1).u32(t_uint8).u64(1).put<std::uint8_t>(1);
  const GgufFile file = folder.open(bytes);
  const GgufFile in_memory(MappedFile::in_memory("bytes", std::as_bytes(std::span(bytes.data()))));
  CHECK(in_memory.path() == "bytes");
  CHECK(in_memory.get<std::string_view>("i") == "llama");

  CHECK(file.version() == version);
  CHECK(file.metadata().size() == 15);
  CHECK(file.metadata()[8].key == "i");
  CHECK(file.get<std::uint32_t>("a") == 200);
  CHECK(file.get<std::int32_t>("b") == -3);
  CHECK(file.get<std::uint64_t>("c") == 60000);
  CHECK(file.get<std::int64_t>("d") == -300);
  CHECK(file.get<std::uint32_t>("e") == 4000000000u);
  CHECK(file.get<std::int32_t>("f") == -70000);
  CHECK(file.get<float>("g") == 1.5f);
  CHECK(file.get<double>("g") == 1.5);
  CHECK(file.get<bool>("h"));
  CHECK(file.get<std::string_view>("i") == "llama");
  CHECK(file.get<std::uint64_t>("j") == 1ull << 40);
  CHECK(file.get<std::int64_t>("k") == -5);
  CHECK(file.get<double>("l") == 0.1);
  CHECK(file.get_array<std::string_view>("m") == std::vector<std::string_view>{"ab", ""});
  CHECK(file.get_array<std::int32_t>("n") == std::vector<std::int32_t>{1, 3, 6});
  CHECK(file.get_array<std::uint64_t>("n") == std::vector<std::uint64_t>{1, 3, 6});
  CHECK_FALSE(file.find<float>("absent").has_value());
  CHECK_FALSE(file.find_array<float>("absent").has_value());

  const auto wrong = [](const std::string& key, const std::string& expected, const std::string& found) {
    return contains_text("model.gguf: metadata key '" + key + "': expected " + expected + ", found " + found);
  };
  CHECK_THROWS_AS(file.get<std::uint64_t>("absent"), InvalidFile);
  CHECK_THROWS_WITH(file.get<std::uint64_t>("absent"), wrong("absent", "an unsigned integer", "none"));
  CHECK_THROWS_WITH(file.get<std::uint64_t>("b"), wrong("b", "an unsigned integer", "-3"));
  CHECK_THROWS_WITH(file.get<std::int32_t>("e"), wrong("e", "an integer of 32 bits", "4000000000"));
  CHECK_THROWS_WITH(file.get<std::uint32_t>("j"), wrong("j", "an unsigned integer below 2^32", "1099511627776"));
  CHECK_THROWS_WITH(file.get<float>("a"), wrong("a", "a floating-point number", "uint8"));
  CHECK_THROWS_WITH(file.get<bool>("i"), wrong("i", "a boolean", "string"));
  CHECK_THROWS_WITH(file.get<std::string_view>("n"), wrong("n", "a string", "array"));
  CHECK_THROWS_WITH(file.get_array<float>("g"),
                    wrong("g", "an array, each element a floating-point number", "float32"));
  CHECK_THROWS_WITH(file.get_array<float>("m"),
                    wrong("m", "an array, each element a floating-point number", "string as element 0"));
  CHECK_THROWS_WITH(file.get_array<float>("absent"),
                    wrong("absent", "an array, each element a floating-point number", "none"));
}

TEST_CASE("GgufFile finds and decodes tensors") {
  const Folder folder;
  Bytes bytes;
  bytes.header(3, 1).text("general.alignment").u32(t_uint32).u32(64);
  bytes.tensor("matrix", {3, 2}, 0, 0).tensor("halves", {2}, 1, 64).tensor("blocks", {256}, 14, 128).pad(64);
  for (const float value : {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}) bytes.put(value);
  bytes.pad(64).put<std::uint16_t>(0x3c00).put<std::uint16_t>(0xc000).pad(64).zeros(210);
  GgufFile opened = folder.open(bytes);
  const GgufFile file = std::move(opened);

  REQUIRE(file.tensors().size() == 3);
  const GgufTensor& matrix = file.tensor("matrix");
  CHECK(matrix.name == "matrix");
  CHECK(matrix.dims == std::vector<std::uint64_t>{3, 2});
  CHECK(matrix.type == TensorType::f32);
  CHECK(matrix.values == 6);
  CHECK(matrix.bytes == 24);
  CHECK(matrix.offset % 64 == 0);
  CHECK(file.bytes(matrix).size() == 24);
  std::vector<float> values(6);
  file.read(matrix, values);
  CHECK(values == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK_THROWS_AS(file.read(matrix, std::span(values).first(5)), zeroth::InvalidArgument);

  values.resize(2);
  file.read(file.tensor("halves"), values);
  CHECK(values == std::vector<float>{1, -2});

  CHECK(file.tensor("blocks").type == TensorType::q6_k);
  CHECK(file.tensor("blocks").bytes == 210);
  values.assign(256, 1.0f);
  file.read(file.tensor("blocks"), values);
  CHECK(values == std::vector<float>(256, 0.0f));

  CHECK(file.find_tensor("absent") == nullptr);
  CHECK_THROWS_WITH(file.tensor("absent"), contains_text("model.gguf: tensor 'absent' is missing"));
}

TEST_CASE("GgufFile rejects a header that is not one") {
  const Folder folder;
  CHECK_THROWS_AS(folder.open(""), InvalidFile);
  CHECK_THROWS_WITH(folder.open("GGML12345678901234567890"), contains_text("model.gguf: header: expected the magic"));
  CHECK_THROWS_WITH(folder.open(Bytes().header(0, 0, 1)), contains_text("expected GGUF version 2 or 3, found 1"));
  CHECK_THROWS_WITH(folder.open(Bytes().header(0, 0, 4)), contains_text("found 4"));
  CHECK_THROWS_WITH(folder.open(Bytes().header(0, 0, 0x03000000)), contains_text("big-endian"));
  constexpr std::uint64_t huge = ~std::uint64_t{0};
  CHECK_THROWS_WITH(folder.open(Bytes().header(huge, 0)), contains_text("18446744073709551615 tensors"));
  CHECK_THROWS_WITH(folder.open(Bytes().header(0, huge)), contains_text("18446744073709551615 metadata keys"));
  CHECK_NOTHROW(folder.open(Bytes().header(0, 0)));
}

TEST_CASE("GgufFile rejects damaged metadata and names the key") {
  const Folder folder;
  constexpr std::uint64_t huge = ~std::uint64_t{0};
  const auto one = [] { return std::move(Bytes().header(0, 1)); };
  CHECK_THROWS_WITH(folder.open(one().u64(huge).zeros(64)),
                    contains_text("metadata key number 0: expected 18446744073709551615 bytes at offset 32"));
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(13).zeros(64)),
                    contains_text("metadata key 'key': expected a value type from 0 to 12, found 13"));
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(t_string).u64(huge).zeros(64)), contains_text("key 'key'"));
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(t_array).u32(t_uint8).u64(huge).zeros(64)),
                    contains_text("an array of 18446744073709551615 elements does not fit the 64 bytes"));
  // 2^61 + 1 eight-byte elements are 8 bytes modulo 2^64.
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(t_array).u32(t_uint64).u64((1ull << 61) + 1).zeros(64)),
                    contains_text("does not fit"));
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(t_array).u32(t_string).u64(huge).zeros(64)),
                    contains_text("does not fit"));
  CHECK_THROWS_WITH(folder.open(one().text("key").u32(t_array).u32(99).u64(1).zeros(64)), contains_text("found 99"));
  Bytes nested = one().text("key").u32(t_array);
  for (int depth = 0; depth < 100; ++depth) nested.u32(t_array).u64(1);
  CHECK_THROWS_WITH(folder.open(nested), contains_text("nested at most 4 deep"));
  CHECK_THROWS_WITH(folder.open(Bytes().header(0, 2).text("key").u32(t_bool).zeros(1).text("key").u32(t_bool).zeros(1)),
                    contains_text("metadata key 'key': expected once, found twice"));
  CHECK_THROWS_WITH(folder.open(one().text("general.alignment").u32(t_uint32).u32(0)),
                    contains_text("metadata key 'general.alignment': expected a power of two, found 0"));
  CHECK_THROWS_WITH(folder.open(one().text("general.alignment").u32(t_uint32).u32(48)), contains_text("found 48"));
  CHECK_THROWS_WITH(folder.open(one().text("general.alignment").u32(t_string).text("x")),
                    contains_text("expected a uint32, found string"));
}

TEST_CASE("GgufFile makes a message of one short line from any key") {
  const Folder folder;
  const std::string key = "line\nbreak" + std::string(1000, 'x');
  std::string message;
  try {
    folder.open(Bytes().header(0, 1).text(key).u32(13).zeros(64));
  } catch (const InvalidFile& error) {
    message = error.what();
  }
  CHECK_THAT(message, contains_text("line?breakxxx"));
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.size() < 300);
}

TEST_CASE("GgufFile rejects damaged tensors and names them") {
  const Folder folder;
  const auto one = [&](const std::vector<std::uint64_t>& dims, std::uint32_t type, std::uint64_t offset,
                       std::size_t data = 128) {
    return folder.open(Bytes().header(1, 0).tensor("w", dims, type, offset).pad().zeros(data));
  };
  CHECK_NOTHROW(one({32}, 0, 0));
  CHECK_THROWS_WITH(one({}, 0, 0), contains_text("tensor 'w': expected 1 to 4 dimensions, found 0"));
  CHECK_THROWS_WITH(one({1, 1, 1, 1, 1}, 0, 0), contains_text("found 5"));
  CHECK_THROWS_WITH(one({4, 0}, 0, 0), contains_text("expected dimensions of at least 1"));
  // The product is 0 modulo 2^64.
  CHECK_THROWS_WITH(one({1ull << 32, 1ull << 32}, 0, 0), contains_text("a product of at most 2^40, found 4294967296"));
  CHECK_THROWS_WITH(one({32}, 99, 0), contains_text("tensor 'w': expected a type among F32, F16") &&
                                          contains_text("found type number 99"));
  CHECK_THROWS_WITH(one({16, 2}, 8, 0),
                    contains_text("expected rows of a multiple of 32 values for type Q8_0, found 16"));
  CHECK_THROWS_WITH(one({8}, 0, 16), contains_text("expected an offset that is a multiple of 32, found 16"));
  CHECK_THROWS_WITH(one({32}, 0, 32), contains_text("tensor 'w': needs 128 bytes at offset 32") &&
                                          contains_text("begins at 64, but the file has 192 bytes"));
  CHECK_THROWS_WITH(one({33}, 0, 0), contains_text("needs 132 bytes"));
  CHECK_THROWS_AS(one({32}, 0, ~std::uint64_t{31}), InvalidFile);
  CHECK_THROWS_AS(one({1ull << 40}, 0, 0), InvalidFile);
  CHECK_THROWS_WITH(folder.open(Bytes().header(2, 0).tensor("w", {1}, 0, 0).tensor("w", {1}, 0, 0).pad().zeros(64)),
                    contains_text("tensor 'w': expected once, found twice"));
}

TEST_CASE("GgufFile rejects a golden model cut anywhere") {
  const Folder folder;
  std::ifstream stream(zeroth_test::tests_directory() / "golden" / "quantized.gguf", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  REQUIRE_NOTHROW(folder.open(whole));
  // Except for the padding after the last tensor, every byte is needed.
  for (std::size_t size = 0; size + 32 < whole.size(); size += size < 400 ? 1 : 977) {
    INFO(size << " of " << whole.size() << " bytes");
    REQUIRE_THROWS_AS(folder.open(std::string_view(whole).substr(0, size)), InvalidFile);
  }
}

TEST_CASE("GgufFile survives any damaged byte of a golden model's header") {
  const Folder folder;
  std::ifstream stream(zeroth_test::tests_directory() / "golden" / "quantized.gguf", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::size_t header = folder.open(whole).tensors()[0].offset;
  int refused = 0;
  for (std::size_t i = 0; i < header; i += i < 1024 ? 3 : 41) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x81);
    try {
      const GgufFile file = folder.open(damaged);
      for (const GgufTensor& tensor : file.tensors()) {
        std::vector<float> values(tensor.values);
        file.read(tensor, values);
      }
    } catch (const InvalidFile&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("GgufFile reads the golden models that gguf-py wrote") {
  const GgufFile file((zeroth_test::tests_directory() / "golden" / "quantized.gguf").string());
  CHECK(file.get<std::string_view>("general.architecture") == "llama");
  CHECK(file.get<std::uint32_t>("llama.block_count") == 2);
  CHECK(file.get<std::uint32_t>("llama.vocab_size") == 259);
  CHECK(file.get_array<std::string_view>("tokenizer.ggml.tokens").size() == 259);
  CHECK(file.get_array<std::string_view>("tokenizer.ggml.tokens")[0] == "<|endoftext|>");
  CHECK(file.get_array<std::string_view>("tokenizer.ggml.merges").size() == 2);
  CHECK(file.get_array<std::int32_t>("tokenizer.ggml.token_type")[0] == 3);
  CHECK(file.tensors().size() == 2 * 9 + 2);
  CHECK(file.tensor("token_embd.weight").type == TensorType::q8_0);
  CHECK(file.tensor("token_embd.weight").dims == std::vector<std::uint64_t>{64, 259});
  CHECK(file.tensor("blk.1.ffn_down.weight").type == TensorType::bf16);
}
