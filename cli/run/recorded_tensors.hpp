// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <zeroth/journal/header.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth_model/io/model_source.hpp>

#include "language_model.hpp"

namespace zeroth::cli {

/// The type in which to load the matrices of a model for a journal that tunes its weights: that of the journal, if the
/// journal has all of them in one type; otherwise f32, which holds every type.
[[nodiscard]] DataType type_of_matrices(JournalHeader const& header, model::ModelSource const& source);

/// The tensors that a journal names, over the weights of a model or of its adapter. A tensor has the name that it has
/// in the model's files, or the name that a GGUF file would give it.
class RecordedTensors {
 public:
  /// @param journal where it comes from, for messages
  /// @throws InvalidFile naming the tensor, if the model has none of that name, or it cannot have the journal's type on
  ///   a GPU
  RecordedTensors(LanguageModel& model, JournalHeader const& header, std::string const& journal);

  /// A tensor that the journal has in another type than the model lies in memory of its own.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// Writes the tensors that lie in memory of their own to the model.
  void write_back();

 private:
  struct Copy {
    std::size_t parameter;  // of the model
    std::vector<std::byte> values;
    DataType dtype;
  };

  LanguageModel& model_;
  ParameterSet parameters_;
  std::vector<Copy> copies_;
};

}  // namespace zeroth::cli
