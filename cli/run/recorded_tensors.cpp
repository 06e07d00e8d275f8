// SPDX-License-Identifier: MIT
#include "recorded_tensors.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>

namespace zeroth::cli {
namespace {

/// Calls convert(first value, floats) for parts of a tensor, so that it is never held in f32 as a whole.
template <class Convert>
void in_parts(std::uint64_t size, Convert const& convert) {
  constexpr std::uint64_t part = 1 << 16;
  std::vector<float> values(std::min(part, size));
  for (std::uint64_t first = 0; first < size; first += part)
    convert(first, std::span(values).first(std::min(part, size - first)));
}

/// What a journal's tensor lacks.
std::string tensor_text(JournalTensor const& tensor, std::string const& expected, std::string const& found) {
  return "tensor '" + model::detail::printable(tensor.name) + "': expected " + expected + ", found " + found;
}

}  // namespace

DataType type_of_matrices(JournalHeader const& header, model::ModelSource const& source) {
  std::vector<model::TensorSpec> const specs = model::tensor_specs(source.config());
  std::map<std::string, std::size_t> const by_name = source.parameters_by_name();
  std::map<std::string, DataType> types;
  for (JournalTensor const& tensor : header.tensors) {
    auto const found = by_name.find(tensor.name);
    types[found == by_name.end() ? tensor.name : specs[found->second].name] = tensor.dtype;
  }
  DataType const type = types.contains(specs.front().name) ? types[specs.front().name] : DataType::f32;
  auto const has_it = [&](model::TensorSpec const& spec) {
    return spec.role == Role::vector || (types.contains(spec.name) && types[spec.name] == type);
  };
  return std::all_of(specs.begin(), specs.end(), has_it) ? type : DataType::f32;
}

RecordedTensors::RecordedTensors(LanguageModel& model, JournalHeader const& header, std::string const& journal)
    : model_(model) {
  ParameterSet const& tuned = model.tuned();
  std::map<std::string, std::size_t> by_name;
  if (!model.tunes_beside()) by_name = model.source.parameters_by_name();
  for (std::size_t i = 0; i < tuned.size(); ++i) by_name[tuned[i].name] = i;
  for (JournalTensor const& tensor : header.tensors) {
    auto const refuse = [&](std::string const& expected, std::string const& found) {
      throw InvalidFile(journal + ": " + tensor_text(tensor, expected, found));
    };
    auto const found = by_name.find(tensor.name);
    if (found == by_name.end())
      refuse("a tensor of " + (model.tunes_beside() ? "what the run tuned" : model.source.path()),
             "none of that name there");
    Parameter parameter = tuned[found->second];
    parameter.name = tensor.name;
    if (parameter.dtype != tensor.dtype && !model.tunes_beside() && parameter.shape == tensor.shape) {
      if (model.gpu != nullptr)
        refuse(std::string(to_string(parameter.dtype)) + ", as the GPU has it",
               std::string(to_string(tensor.dtype)) + "; --device cpu replays any types");
      parameter.dtype = tensor.dtype;
      copies_.push_back({found->second, std::vector<std::byte>(parameter.bytes()), tensor.dtype});
      Copy& copy = copies_.back();
      parameter.data = copy.values.data();
      in_parts(parameter.size(), [&](std::uint64_t first, std::span<float> values) {
        model.weights.read(found->second, first, values);
        narrow_values(tensor.dtype, values, copy.values.data() + first * size_of(tensor.dtype));
      });
    }
    try {
      parameters_.add(std::move(parameter));
    } catch (InvalidArgument const& error) {
      throw InvalidFile(journal + ": " + error.what());
    }
  }
}

void RecordedTensors::write_back() {
  for (Copy const& copy : copies_) {
    std::uint64_t const size = copy.values.size() / size_of(copy.dtype);
    in_parts(size, [&](std::uint64_t first, std::span<float> values) {
      widen_values(copy.dtype, copy.values.data() + first * size_of(copy.dtype), values);
      model_.weights.write(copy.parameter, first, values);
    });
  }
}

}  // namespace zeroth::cli
