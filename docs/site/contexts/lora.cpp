// SPDX-License-Identifier: MIT
#include <string>

#include <zeroth/zeroth.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/io/peft/export_peft.hpp>
#include <zeroth_model/ops/cpu.hpp>

void context(std::string const& path, zeroth::SerialExecutor const& executor) {
  zeroth::model::GgufFile const file(path);
  // @block
}
