// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

namespace zeroth::cli {

/// What cuts text into a model's tokens.
using Tokenizer = model::BytePairTokenizer;

}  // namespace zeroth::cli
