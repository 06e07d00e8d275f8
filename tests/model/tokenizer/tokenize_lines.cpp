// SPDX-License-Identifier: MIT
// tokenize_lines MODEL.gguf FILE: writes the token ids of each line of FILE, a line of ids for a line of text. Only
// "\n" ends a line, and FILE's last line ends with one. tokenize_lines MODEL.gguf --export FOLDER: writes
// tokenizer.json and tokenizer_config.json there. For scripts/parity_tokenizer.py.
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

#include "zeroth/model/format/gguf.hpp"
#include "zeroth/model/tokenizer/from_gguf.hpp"
#include "zeroth/model/tokenizer/hugging_face.hpp"

namespace {

void tokenize(const zeroth::model::BytePairTokenizer& tokenizer, const std::string& path) {
  std::ifstream lines(path, std::ios::binary);
  for (std::string line; std::getline(lines, line);) {
    const char* separator = "";
    for (const std::int32_t id : tokenizer.encode(line)) {
      std::cout << separator << id;
      separator = " ";
    }
    std::cout << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: tokenize_lines MODEL.gguf (FILE | --export FOLDER)\n";
    return 2;
  }
  try {
    const zeroth::model::GgufFile file(argv[1]);
    const auto tokenizer = zeroth::model::tokenizer_from_gguf(file);
    if (std::string(argv[2]) != "--export") {
      tokenize(tokenizer, argv[2]);
    } else if (argc == 4) {
      const std::string folder = argv[3];
      std::ofstream(folder + "/tokenizer.json", std::ios::binary)
          << zeroth::model::hugging_face_tokenizer_json(tokenizer);
      std::ofstream(folder + "/tokenizer_config.json", std::ios::binary)
          << zeroth::model::hugging_face_tokenizer_config_json(tokenizer, 0,
                                                               zeroth::model::chat_template_from_gguf(file));
    }
  } catch (const std::exception& error) {
    std::cerr << "tokenize_lines: " << error.what() << '\n';
    return 1;
  }
}
