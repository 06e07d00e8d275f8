// SPDX-License-Identifier: MIT
// tokenize_lines MODEL FILE: writes the token ids of each text of FILE, which has one JSON string per line: one line of
// ids per text, followed by "!" if the ids do not decode to the text. MODEL is a GGUF file, a Hugging Face folder, or
// its tokenizer.json or tokenizer.model. tokenize_lines MODEL --export FOLDER: writes the tokenizer's files there anew.
// tokenize_lines MODEL --gguf FILE: writes a GGUF file with its keys and no tensor. For
// tests/parity/parity_tokenizer.py and tests/parity/parity_tokenizers.py.
// tokenize_lines --many FOLDER: reads one {"model": MODEL, "texts": [TEXT...]} per line from standard input and writes
// one line for each, {"ids": [[ID...]...], "round_trip": WHAT, "ids_after": {INDEX: [ID...]}} or {"error": WHY}: see
// round_trip(), which uses FOLDER. For tests/parity/parity_random_tokenizers.py.
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"
#include "zeroth_model/tokenizer/from_gguf.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"
#ifdef ZEROTH_SENTENCEPIECE
#include "zeroth_model/tokenizer/sentencepiece.hpp"
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

std::vector<std::vector<std::int32_t>> encode_all(const AnyTokenizer& tokenizer, const nlohmann::json& texts) {
  std::vector<std::vector<std::int32_t>> ids;
  for (const auto& text : texts) ids.push_back(tokenizer.encode(text.get_ref<const std::string&>()));
  return ids;
}

/// "same" if the tokenizer gives these ids after it was written as GGUF and read, and after that was written as Hugging
/// Face's files and read; otherwise why not, and in `ids_after` the ids of each text for which they differ.
std::string round_trip(const AnyTokenizer& tokenizer, const nlohmann::json& texts,
                       const std::vector<std::vector<std::int32_t>>& ids, const std::filesystem::path& folder,
                       const zeroth::model::SentencePieceMaker& maker, nlohmann::json& ids_after) {
  const auto difference = [&](const AnyTokenizer& other) -> std::string {
    const auto found = encode_all(other, texts);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (found[i] != ids[i]) ids_after[std::to_string(i)] = found[i];
    }
    const bool same = other.bos() == tokenizer.bos() && other.eos() == tokenizer.eos() &&
                      other.padding() == tokenizer.padding() && other.add_bos() == tokenizer.add_bos() &&
                      other.add_eos() == tokenizer.add_eos();
    if (!same) {
      ids_after.clear();
      return "other special tokens";
    }
    return ids_after.empty() ? "" : "other ids of text " + ids_after.begin().key();
  };
  const std::filesystem::path gguf_path = folder / "round_trip.gguf";
  try {
    save_gguf(tokenizer, gguf_path.string());
  } catch (const zeroth::InvalidArgument& error) {
    return std::string("refused: ") + error.what();
  }
  const zeroth::model::GgufFile file(gguf_path.string());
  const AnyTokenizer from_gguf = zeroth::model::load_tokenizer(file, maker);
  if (const std::string what = difference(from_gguf); !what.empty()) return "GGUF: " + what;
  const std::filesystem::path files = folder / "round_trip";
  std::filesystem::create_directories(files);
  try {
    save(from_gguf, std::nullopt, files.string());
  } catch (const zeroth::InvalidArgument& error) {
    return std::string("refused as files: ") + error.what();
  }
  if (const std::string what = difference(zeroth::model::load_tokenizer(files, maker)); !what.empty())
    return "files: " + what;
  return "same";
}

void tokenize_many(const std::filesystem::path& folder, const zeroth::model::SentencePieceMaker& maker) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto task = nlohmann::json::parse(line);
    nlohmann::json answer;
    try {
      const AnyTokenizer tokenizer = zeroth::model::load_tokenizer(task.at("model").get<std::string>(), maker);
      const auto ids = encode_all(tokenizer, task.at("texts"));
      answer["ids"] = ids;
      answer["bos"] = tokenizer.bos() && tokenizer.add_bos() ? nlohmann::json(*tokenizer.bos()) : nlohmann::json();
      answer["eos"] = tokenizer.eos() && tokenizer.add_eos() ? nlohmann::json(*tokenizer.eos()) : nlohmann::json();
      auto& ids_after = answer["ids_after"] = nlohmann::json::object();
      answer["round_trip"] = round_trip(tokenizer, task.at("texts"), ids, folder, maker, ids_after);
    } catch (const std::exception& error) {
      answer["error"] = error.what();
    }
    std::cout << answer.dump() << '\n' << std::flush;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: tokenize_lines MODEL (FILE | --export FOLDER | --gguf FILE) or --many FOLDER\n";
    return 2;
  }
  try {
    zeroth::model::SentencePieceMaker maker;
#ifdef ZEROTH_SENTENCEPIECE
    maker = zeroth::model::sentencepiece_tokenizer;
#endif
    if (std::string(argv[1]) == "--many") {
      tokenize_many(argv[2], maker);
      return 0;
    }
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
