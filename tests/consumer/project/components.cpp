// SPDX-License-Identifier: MIT
// The promises of each optional component: its headers, and the libraries that they include.
#include <zeroth/backend/eigen.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/tokenizer/hugging_face.hpp>
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth_model/tokenizer/sentencepiece.hpp>

// A call, so that the library is linked.
bool accepts_nothing() {
  try {
    zeroth::model::SentencePieceTokenizer{zeroth::model::SentencePieceModel{}};
  } catch (const zeroth::InvalidArgument&) {
    return false;
  }
  return true;
}
#endif
