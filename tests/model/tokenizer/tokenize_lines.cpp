// SPDX-License-Identifier: MIT
// tokenize_lines MODEL FILE: writes the token ids of each text of FILE, which has a JSON string a line; a line of ids
// for a text, and, where the ids do not decode to the text, "!" after them. MODEL is a GGUF file, a Hugging Face
// folder, or its tokenizer.json or tokenizer.model. tokenize_lines MODEL --export FOLDER: writes the tokenizer's files
// there, anew. tokenize_lines MODEL --gguf FILE: writes a GGUF file with its keys and no tensor. For
// scripts/parity_tokenizer.py and scripts/parity_tokenizers.py.
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "zeroth/model/format/gguf.hpp"
#include "zeroth/model/format/gguf_writer.hpp"
#include "zeroth/model/tokenizer/from_gguf.hpp"
#include "zeroth/model/tokenizer/load_tokenizer.hpp"
#ifdef ZEROTH_SENTENCEPIECE
#include "zeroth/model/tokenizer/sentencepiece.hpp"
#endif

namespace {

using zeroth::model::AnyTokenizer;

void tokenize(const AnyTokenizer& tokenizer, const std::string& path) {
  std::ifstream lines(path, std::ios::binary);
  for (std::string line; std::getline(lines, line);) {
    const auto text = nlohmann::json::parse(line).get<std::string>();
    const char* separator = "";
    const auto ids = tokenizer.encode(text);
    for (const std::int32_t id : ids) {
      std::cout << separator << id;
      separator = " ";
    }
    std::cout << (tokenizer.decode(ids) == text ? "\n" : " !\n");
  }
}

void save(const AnyTokenizer& tokenizer, std::optional<std::string_view> chat_template, const std::string& folder) {
  for (const auto& file : tokenizer.hugging_face_files(0, chat_template)) {
    std::ofstream(folder + "/" + file.name, std::ios::binary) << file.text;
  }
}

void save_gguf(const AnyTokenizer& tokenizer, const std::string& path) {
  zeroth::model::GgufWriter writer(path);
  tokenizer.set_gguf_metadata(writer, tokenizer.vocabulary_size());
  writer.commit();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: tokenize_lines MODEL (FILE | --export FOLDER | --gguf FILE)\n";
    return 2;
  }
  try {
    zeroth::model::SentencePieceMaker maker;
#ifdef ZEROTH_SENTENCEPIECE
    maker = zeroth::model::sentencepiece_tokenizer;
#endif
    const std::filesystem::path path = argv[1];
    std::optional<zeroth::model::GgufFile> gguf;
    if (path.extension() == ".gguf") gguf.emplace(path.string());
    const AnyTokenizer tokenizer =
        gguf ? zeroth::model::load_tokenizer(*gguf, maker) : zeroth::model::load_tokenizer(path, maker);
    const std::string action = argv[2];
    if (argc == 3) {
      tokenize(tokenizer, action);
    } else if (action == "--gguf") {
      save_gguf(tokenizer, argv[3]);
    } else if (action == "--export") {
      save(tokenizer, gguf ? zeroth::model::chat_template_from_gguf(*gguf) : std::nullopt, argv[3]);
    }
  } catch (const std::exception& error) {
    std::cerr << "tokenize_lines: " << error.what() << '\n';
    return 1;
  }
}
