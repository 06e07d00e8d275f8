// SPDX-License-Identifier: MIT
// What the files next to a tokenizer.json, which stays the same, say about special tokens. An input is those files,
// separated by zero bytes.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth_model/tokenizer/load_tokenizer.hpp>

#include "fuzz_target.hpp"
#include "temporary_directory.hpp"

namespace zeroth_fuzz {
namespace {

constexpr std::array names = {"tokenizer_config.json", "special_tokens_map.json", "generation_config.json",
                              "config.json"};

/// A folder with a tokenizer.json.
class Folder {
 public:
  Folder() {
    std::ofstream(folder_ / "tokenizer.json") << R"({"model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "</s>": 2},
      "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}})";
  }

  /// Writes a file, or removes it if its text is empty.
  void put(const char* name, std::string_view text) const {
    if (text.empty()) {
      std::filesystem::remove(folder_ / name);
    } else {
      std::ofstream(folder_ / name, std::ios::binary) << text;
    }
  }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  zeroth_test::TemporaryDirectory folder_;
};

}  // namespace

bool run(Input input) {
  static const Folder folder;
  std::string_view rest = text_of(input);
  for (const char* name : names) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    folder.put(name, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return reads_or_refuses([&] {
    const zeroth::model::AnyTokenizer tokenizer = zeroth::model::load_tokenizer(folder.path());
    for (const auto id : {tokenizer.bos(), tokenizer.eos(), tokenizer.unknown(), tokenizer.padding()}) {
      require(!id || (*id >= 0 && static_cast<std::size_t>(*id) < tokenizer.vocabulary_size()),
              "a special token is not in the vocabulary");
    }
    require(!tokenizer.add_bos() || tokenizer.bos(), "it adds a bos that it lacks");
    require(!tokenizer.add_eos() || tokenizer.eos(), "it adds an eos that it lacks");
  });
}

std::vector<std::string> seeds() {
  const auto joined = [](const std::array<std::string, names.size()>& files) {
    std::string input;
    for (const std::string& file : files) input += (&file == files.data() ? "" : std::string(1, '\0')) + file;
    return input;
  };
  return {
      joined({R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": null, "add_bos_token": true})",
              R"({"unk_token": "a", "add_eos_token": false})", R"({"eos_token_id": [2, 1], "pad_token_id": 1})",
              R"({"bos_token_id": 0})"}),
      joined({"", "", R"({"bos_token_id": 0, "eos_token_id": 2})", R"({"pad_token_id": []})"}),
  };
}

}  // namespace zeroth_fuzz
