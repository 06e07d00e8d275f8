// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "paths.hpp"
#include "zeroth_model/tokenizer/sentencepiece_model.hpp"
#include "zeroth_model/tokenizer/unigram_json.hpp"

namespace zeroth_test {

/// golden_sentencepiece.json and the lines of odd_unicode.txt whose ids it contains.
struct GoldenSentencePiece {
  nlohmann::json json;
  std::vector<std::string> lines;

  GoldenSentencePiece() {
    const auto folder = tests_directory() / "model" / "tokenizer";
    json = nlohmann::json::parse(std::ifstream(folder / "golden_sentencepiece.json"));
    std::ifstream text(folder / "odd_unicode.txt", std::ios::binary);
    const auto every = json.at("every").get<std::size_t>();
    std::size_t i = 0;
    for (std::string line; std::getline(text, line); ++i) {
      if (i % every == 0) lines.push_back(line);
    }
  }

  /// The bytes of a tokenizer.model.
  std::string bytes(const std::string& name) const {
    return zeroth::model::detail::from_base64(json.at("models").at(name).get<std::string>()).value();
  }

  zeroth::model::SentencePieceModel model(const std::string& name) const {
    return zeroth::model::parse_sentencepiece_model(bytes(name), name);
  }

  /// The ids of lines[i].
  std::vector<std::int32_t> ids(const std::string& name, std::size_t i) const {
    return json.at("ids").at(name).at(i).get<std::vector<std::int32_t>>();
  }
};

}  // namespace zeroth_test
