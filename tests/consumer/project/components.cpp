// SPDX-License-Identifier: MIT
// What each optional component promises: its headers, and the libraries that they include.
#include <zeroth/backend/eigen.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/model/decoder.hpp>
#include <zeroth/model/tokenizer/hugging_face.hpp>
