// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal/bytes.hpp>
#include <zeroth/journal/checksum.hpp>
#include <zeroth/journal/header.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// The first eight bytes of a journal. The first has its top bit set and line ends follow, so that a transfer in text
/// mode is detected.
inline constexpr std::array<unsigned char, 8> journal_magic = {0x89, 'Z', 'O', 'J', '\r', '\n', 0x1a, '\n'};
/// Size of the part that has the same size in every journal.
inline constexpr std::size_t journal_prefix_bytes = 44;

/// Whether these bytes begin like a journal.
[[nodiscard]] inline bool is_journal(std::span<std::byte const> bytes) noexcept {
  return bytes.size() >= journal_magic.size() &&
         std::equal(journal_magic.begin(), journal_magic.end(), bytes.begin(),
                    [](unsigned char c, std::byte byte) { return std::to_integer<unsigned char>(byte) == c; });
}

}  // namespace detail

/// The header as the bytes at the start of a journal; docs/journal.md has the layout.
/// @throws InvalidArgument if the number of samples or an enum is out of range, a text has control characters, or the
///   header takes 2^32 bytes or more
[[nodiscard]] inline std::vector<std::byte> encode(JournalHeader const& header) {
  if (header.samples < 1 || header.samples > max_samples)
    throw InvalidArgument("journal: samples must be in [1, 4096], got " + std::to_string(header.samples));
  detail::ByteWriter out;
  for (unsigned char c : detail::journal_magic) out.number(c);
  out.number(journal_version);
  std::size_t const size_at = out.bytes().size();
  out.number(std::uint32_t{0});
  out.number(header.noise_version);
  out.number(header.samples);
  out.number(header.base_hash);
  out.number(static_cast<std::uint32_t>(header.fields.size()));
  out.number(static_cast<std::uint32_t>(header.notes.size()));
  out.number(static_cast<std::uint32_t>(header.tensors.size()));
  for (auto const* fields : {&header.fields, &header.notes})
    for (JournalField const& field : *fields) {
      out.text(field.name);
      out.text(field.value);
    }
  for (JournalTensor const& tensor : header.tensors) {
    out.text(tensor.name);
    detail::require_choice(tensor.role, roles, "journal: tensor '" + tensor.name + "': role");
    detail::require_choice(tensor.dtype, data_types, "journal: tensor '" + tensor.name + "': dtype");
    out.number(static_cast<std::uint8_t>(tensor.role));
    out.number(static_cast<std::uint8_t>(tensor.dtype));
    out.varint(tensor.shape.rows);
    out.varint(tensor.shape.columns);
    out.number(tensor.stream);
    out.varint(tensor.offset);
  }
  // The header has more bytes than entries, so the counts of entries fit as well.
  if (out.bytes().size() > std::numeric_limits<std::uint32_t>::max() - sizeof(std::uint32_t))
    throw InvalidArgument("journal: its header must have fewer than 2^32 bytes, got " +
                          std::to_string(out.bytes().size()) + ": keep fewer notes");
  out.patch(size_at, static_cast<std::uint32_t>(out.bytes().size() + sizeof(std::uint32_t)));
  out.number(crc32(out.bytes()));
  return out.take();
}

/// Reads the header at the start of `bytes`; more bytes may follow it.
/// @param source where the bytes come from, for messages
/// @throws InvalidFile if there is no header, or it is cut off, damaged or of an unknown version
[[nodiscard]] inline JournalHeader decode_header(std::span<std::byte const> bytes, std::string const& source) {
  constexpr std::size_t checksum_bytes = sizeof(std::uint32_t);
  if (!detail::is_journal(bytes)) throw InvalidFile(source + ": expected a journal of zeroth, found something else");
  detail::ByteReader prefix(bytes.subspan(detail::journal_magic.size()), source + ": header");
  auto const found = prefix.number<std::uint32_t>();
  if (found != journal_version)
    throw InvalidFile(source + ": expected format version " + std::to_string(journal_version) + ", found " +
                      std::to_string(found) + "; a newer version of zeroth may read it");
  auto const header_bytes = prefix.number<std::uint32_t>();
  if (header_bytes < detail::journal_prefix_bytes + checksum_bytes || header_bytes > bytes.size())
    throw InvalidFile(source + ": header: expected " + std::to_string(header_bytes) + " bytes, found " +
                      std::to_string(bytes.size()));
  auto const body = bytes.first(header_bytes - checksum_bytes);
  auto const checksum = detail::ByteReader(bytes.subspan(body.size()), source).number<std::uint32_t>();
  if (crc32(body) != checksum) throw InvalidFile(source + ": header: damaged: its checksum does not match its content");

  detail::ByteReader in(body.subspan(detail::journal_magic.size() + 2 * sizeof(std::uint32_t)), source + ": header");
  JournalHeader header;
  header.noise_version = in.number<std::uint32_t>();
  header.samples = in.number<std::uint32_t>();
  if (header.samples < 1 || header.samples > max_samples)
    in.refuse("samples: expected 1 to " + std::to_string(max_samples) + ", found " + std::to_string(header.samples));
  header.base_hash = in.number<std::uint64_t>();
  auto const fields = in.number<std::uint32_t>();
  auto const notes = in.number<std::uint32_t>();
  auto const tensors = in.number<std::uint32_t>();
  auto read_fields = [&](std::uint32_t count, std::vector<JournalField>& out) {
    for (std::uint32_t i = 0; i < count; ++i) {
      JournalField field;
      field.name = in.text();
      field.value = in.text();
      out.push_back(std::move(field));
    }
  };
  read_fields(fields, header.fields);
  read_fields(notes, header.notes);
  for (std::uint32_t i = 0; i < tensors; ++i) {
    JournalTensor tensor;
    tensor.name = in.text();
    tensor.role = static_cast<Role>(in.choice(roles, "role"));
    tensor.dtype = static_cast<DataType>(in.choice(data_types, "type"));
    tensor.shape.rows = in.varint();
    tensor.shape.columns = in.varint();
    tensor.stream = in.number<std::uint32_t>();
    tensor.offset = in.varint();
    header.tensors.push_back(std::move(tensor));
  }
  if (in.left() != 0) in.refuse("expected its end, found " + std::to_string(in.left()) + " more bytes");
  return header;
}

}  // namespace zeroth::ZEROTH_ISA
