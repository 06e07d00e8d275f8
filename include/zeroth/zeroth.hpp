// SPDX-License-Identifier: MIT
#pragma once

/// @file
/// The core: everything that needs only the standard library. Eigen, OpenMP, CUDA and the reference transformer have
/// headers of their own (backend/eigen.hpp, executor/openmp.hpp, zeroth_model/...).

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/known_answer.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/config.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/estimator/any_estimator.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/journal/weight_hash.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/layer.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/random/data_order.hpp>
#include <zeroth/run_steps.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth/step_plan.hpp>
#include <zeroth/step_record.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/storage/remainder.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/storage/widen.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/elementwise_rule.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/schedule.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/update.hpp>
#include <zeroth/update/window_momentum.hpp>
