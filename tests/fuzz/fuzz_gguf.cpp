// SPDX-License-Identifier: MIT
// GGUF files: metadata read as every type, and tensors.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>

#include "fuzz_target.hpp"
#include "gguf_bytes.hpp"

namespace zeroth_fuzz {
namespace {

using namespace zeroth::model;

template <GgufValue T>
void read_as(const GgufFile& file, std::string_view key) {
  reads_or_refuses([&] { file.get<T>(key); });
  reads_or_refuses([&] { file.get_array<T>(key); });
}

}  // namespace

bool run(Input input) {
  return reads_or_refuses([&] {
    const GgufFile file(MappedFile::in_memory("input.gguf", input));
    // One type per entry, in turn: rejections dominate the cost, and an entry has only one type.
    static constexpr std::array readers = {read_as<bool>,          read_as<std::string_view>, read_as<float>,
                                           read_as<double>,        read_as<std::uint32_t>,    read_as<std::int32_t>,
                                           read_as<std::uint64_t>, read_as<std::int64_t>};
    std::size_t turn = input.size();  // inputs of different length begin with different types
    for (const GgufEntry& entry : file.metadata()) readers[turn++ % readers.size()](file, entry.key);
    for (const GgufTensor& tensor : file.tensors()) {
      require(file.find_tensor(tensor.name) == &tensor, "a tensor is not found by its name");
      require(file.bytes(tensor).size() == tensor.bytes, "a tensor has other bytes than it says");
      reads_or_refuses([&] {
        std::vector<float> values(tensor.values);
        file.read(tensor, values);
      });
    }
  });
}

std::vector<std::string> seeds() {
  using namespace zeroth_test::gguf_types;
  using zeroth_test::GgufBytes;
  std::vector<std::string> files;
  GgufBytes every_type;
  every_type.header(0, 15).scalar("a", t_uint8, std::uint8_t{200}).scalar("b", t_int8, std::int8_t{-3});
  every_type.scalar("c", t_uint16, std::uint16_t{60000}).scalar("d", t_int16, std::int16_t{-300});
  every_type.scalar("e", t_uint32, 4000000000u).scalar("f", t_int32, -70000);
  every_type.scalar("g", t_float32, 1.5F).scalar("h", t_bool, std::uint8_t{1});
  every_type.string("i", "llama").scalar("j", t_uint64, std::uint64_t{1} << 40);
  every_type.scalar("k", t_int64, std::int64_t{-5}).scalar("l", t_float64, 0.1);
  every_type.strings("m", {"ab", ""}).integers("n", {1, 3, 6}).scalar("general.alignment", t_uint32, 8u);
  files.push_back(every_type.data());

  GgufBytes tensors;
  tensors.header(tensor_types.size(), 0);
  std::uint64_t offset = 0;
  for (const TensorTypeTraits& traits : tensor_types) {
    tensors.tensor(traits.name, {traits.block_values, 2}, static_cast<std::uint32_t>(traits.type), offset);
    offset += (2 * traits.block_bytes + 31) / 32 * 32;
  }
  files.push_back(tensors.pad().data() + std::string(offset, '\x11'));
  return files;
}

}  // namespace zeroth_fuzz
