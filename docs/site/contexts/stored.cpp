// SPDX-License-Identifier: MIT
#include <zeroth/zeroth.hpp>
#include <zeroth_model/adapter/sparse_delta.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/ops/cpu.hpp>

void context(zeroth::SerialExecutor const& executor) {
  // @block
}
