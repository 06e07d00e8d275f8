// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth_model/tokenizer/any_tokenizer.hpp>

namespace zeroth::cli {

/// Splits text into a model's tokens.
using Tokenizer = model::AnyTokenizer;

}  // namespace zeroth::cli
