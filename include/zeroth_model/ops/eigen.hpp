// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth_model/ops/eigen/gemm.hpp>
#include <zeroth_model/ops/eigen/row_major_ops.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// DecoderOps on Eigen, f32; see RowMajorOps.
using EigenOps = RowMajorOps<EigenGemm>;

static_assert(DecoderOps<EigenOps>);

}  // namespace zeroth::ZEROTH_ISA::model
