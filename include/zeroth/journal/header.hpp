// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/journal/weight_hash.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA {

/// A setting of a run and its value.
struct JournalField {
  std::string name;
  std::string value;
  bool operator==(JournalField const&) const = default;
};

/// A tensor that a run tuned.
struct JournalTensor {
  std::string name{};
  Role role = Role::matrix;
  DataType dtype = DataType::f32;
  Shape shape{};
  std::uint32_t stream = 0;
  std::uint64_t offset = 0;
  bool operator==(JournalTensor const&) const = default;
};

/// What a run started from: everything needed to turn its records back into weights.
struct JournalHeader {
  std::uint32_t noise_version = zeroth::noise_version;
  std::uint64_t base_hash = 0;         ///< hash_weights of the base weights
  std::uint32_t samples = 1;           ///< coefficients per step
  std::vector<JournalField> fields{};  ///< the optimizer's settings: sampler, mask, ..., seed
  std::vector<JournalField> notes{};   ///< what the caller adds: row order, data, ...
  std::vector<JournalTensor> tensors{};

  bool operator==(JournalHeader const&) const = default;
};

/// The base weights are not those that the run of a journal began with.
class OtherBase : public InvalidFile {
 public:
  using InvalidFile::InvalidFile;
};

/// The value of a field, or "none" if no field has that name.
[[nodiscard]] inline std::string value_of(std::vector<JournalField> const& fields, std::string_view name) {
  auto const field = std::find_if(fields.begin(), fields.end(), [&](JournalField const& f) { return f.name == name; });
  return field == fields.end() ? "none" : field->value;
}

namespace detail {

/// The update and, if not `always`, its acceptance.
template <class Optimizer>
[[nodiscard]] std::string described_update(Optimizer const& optimizer) {
  bool const always = optimizer.options().acceptance == Acceptance::always;
  return (always ? "" : "conservative-") + describe(optimizer.update());
}

}  // namespace detail

/// The header of a run that starts from the optimizer's current weights. One pass over the weights.
/// @param notes what the optimizer cannot know and `require_same` must compare: {"row_order", "gguf"}
template <class Optimizer>
[[nodiscard]] JournalHeader make_journal_header(Optimizer const& optimizer, std::vector<JournalField> notes = {}) {
  auto const& options = optimizer.options();
  bool const stores_16_bits = std::any_of(optimizer.parameters().begin(), optimizer.parameters().end(),
                                          [](Parameter const& p) { return p.dtype != DataType::f32; });
  JournalHeader header;
  header.base_hash = hash_weights(optimizer.parameters(), optimizer.backend());
  header.samples = options.samples;
  header.fields = {{"sampler", describe(optimizer.sampler())},
                   {"mask", describe(optimizer.mask_policy())},
                   {"update", detail::described_update(optimizer)},
                   {"estimator", describe(optimizer.estimator())},
                   {"rounding", stores_16_bits ? std::string(to_string(options.rounding)) : "none"},
                   {"epsilon", number_text(static_cast<float>(options.epsilon))},
                   {"seed", number_text(options.seed)}};
  header.notes = std::move(notes);
  for (Parameter const& p : optimizer.parameters())
    header.tensors.push_back({p.name, p.role, p.dtype, p.shape, p.stream, p.offset});
  return header;
}

/// Rejects a journal whose run does not match `expected`, and names the first difference. Tensors are matched by name:
/// their order changes no bit. The journal must have the notes of `expected`; it may have others.
/// @param source where the journal comes from, for messages
/// @throws InvalidFile, OtherBase if all but the base weights is the same
inline void require_same(JournalHeader const& found, JournalHeader const& expected, std::string const& source) {
  auto require = [&](std::string const& what, auto const& wanted, auto const& met) {
    if (wanted != met)
      throw InvalidFile(source + ": " + what + ": expected " + wanted + ", as in the optimizer, found " + met);
  };
  if (found.noise_version != expected.noise_version)
    throw InvalidFile(
        source + ": expected version " + std::to_string(expected.noise_version) + " of the noise, found " +
        std::to_string(found.noise_version) +
        ": another version of zeroth wrote this journal, and this one would rebuild other weights from it");
  for (JournalField const& field : expected.fields)
    require(field.name, field.value, value_of(found.fields, field.name));
  for (JournalField const& field : found.fields)
    require(field.name, value_of(expected.fields, field.name), field.value);
  require("samples", std::to_string(expected.samples), std::to_string(found.samples));
  std::unordered_map<std::string_view, JournalTensor const*> missing;
  for (JournalTensor const& tensor : expected.tensors) missing.emplace(tensor.name, &tensor);
  for (JournalTensor const& met : found.tensors) {
    auto const match = missing.extract(met.name);
    std::string const name = "tensor '" + met.name + "': ";
    if (match.empty())
      throw InvalidFile(source + ": " + name + "expected one of the optimizer's " +
                        std::to_string(expected.tensors.size()) + " tensors, found no such tensor there");
    JournalTensor const& want = *match.mapped();
    require(name + "role", std::string(to_string(want.role)), std::string(to_string(met.role)));
    require(name + "type", std::string(to_string(want.dtype)), std::string(to_string(met.dtype)));
    require(name + "shape", to_string(want.shape), to_string(met.shape));
    require(name + "noise stream", std::to_string(want.stream), std::to_string(met.stream));
    require(name + "offset", std::to_string(want.offset), std::to_string(met.offset));
  }
  for (JournalTensor const& tensor : expected.tensors)
    if (missing.contains(tensor.name))
      throw InvalidFile(source + ": tensor '" + tensor.name +
                        "': expected, as in the optimizer, found only the run's " +
                        std::to_string(found.tensors.size()) + " other tensors");
  for (JournalField const& note : expected.notes) {
    auto refuse = [&](std::string const& met) {
      throw InvalidFile(source + ": " + note.name + ": expected " + note.value + ", found " + met +
                        " in the notes of the run");
    };
    // A missing note differs from one whose value is "none", and all notes with that name are checked.
    bool is_there = false;
    for (JournalField const& met : found.notes) {
      if (met.name != note.name) continue;
      is_there = true;
      if (met.value != note.value) refuse(met.value);
    }
    if (!is_there) refuse(note.value == "none" ? "no such note" : "none");
  }
  if (found.base_hash != expected.base_hash)
    throw OtherBase(source + ": base weights: expected those with hash " + hexadecimal(found.base_hash) +
                    ", which the run began with, found " + hexadecimal(expected.base_hash));
}

}  // namespace zeroth::ZEROTH_ISA
