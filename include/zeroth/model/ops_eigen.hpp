// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/model/eigen/gemm.hpp>
#include <zeroth/model/eigen/row_major_ops.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// DecoderOps on Eigen, f32; see RowMajorOps.
using EigenOps = RowMajorOps<EigenGemm>;

static_assert(DecoderOps<EigenOps>);

}  // namespace zeroth::ZEROTH_ISA::model
