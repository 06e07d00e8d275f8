// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The largest batch that a decoder will be asked to score: see Decoder::reserve.
struct BatchLimits {
  std::size_t tokens = 0;    ///< in all segments together
  std::size_t segments = 0;  ///< 0: same as tokens
  std::size_t requests = 0;  ///< scores
  std::size_t lanes = 2;     ///< of the probe; 0: no probe, only theta is scored
};

/// The most that a forward pass needs, for sets of operations that allocate ahead: see DecoderOps.
struct PassSizes {
  std::size_t lanes = 1;
  std::size_t rows = 0;      ///< tokens
  std::size_t spans = 0;     ///< of queries: segments
  std::size_t scored = 0;    ///< rows that the head sees
  std::size_t requests = 0;  ///< scores per lane
  std::size_t pairs = 0;     ///< rotary pairs; 0: positions are learned
  std::size_t rotary_tables = 1;

  /// Features of the activation matrices that live at once; a matrix that grows during the pass appears twice.
  std::span<std::size_t const> widths{};

  DataType weight_dtype = DataType::f32;  ///< type of the matrices
  bool probe = false;                     ///< some weights are expanded for each lane
  bool by_floats = false;                 ///< the probe expands only to f32: see PanelRequest
  std::size_t columns = 0;                ///< the longest row of a matrix
  std::size_t longest_vector = 0;
  std::size_t vocabulary = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model
