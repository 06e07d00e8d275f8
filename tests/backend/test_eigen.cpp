// SPDX-License-Identifier: MIT
#include <zeroth/backend/eigen.hpp>

#include <vector>

#include <Eigen/Core>

#include "catch.hpp"

namespace {

using zeroth::EigenBackend;
using zeroth::ParameterSet;
using zeroth::Role;

TEST_CASE("a tensor maps to a row-major matrix over the same memory") {
  std::vector<float> memory = {1, 2, 3, 4, 5, 6};
  ParameterSet parameters;
  parameters.add("w", Role::matrix, {2, 3}, memory);
  auto matrix = EigenBackend::map(parameters[0]);
  CHECK(matrix.rows() == 2);
  CHECK(matrix.cols() == 3);
  CHECK(matrix(1, 0) == 4);
  matrix(0, 2) = 30;
  CHECK(memory[2] == 30);

  zeroth::Parameter half = parameters[0];
  half.dtype = zeroth::DataType::bf16;
  CHECK_THROWS_WITH(EigenBackend::map(half),
                    zeroth_test::contains_text("only f32 maps to an Eigen matrix, it is bf16"));
}

TEST_CASE("Eigen matrices and vectors are added as they lie") {
  ParameterSet parameters;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows(2, 3);
  Eigen::MatrixXf columns(4, 5);
  Eigen::VectorXf vector(7);
  CHECK(EigenBackend::add(parameters, "rows", rows) == 0);
  CHECK(EigenBackend::add(parameters, "columns", columns) == 1);
  CHECK(EigenBackend::add(parameters, "vector", vector) == 2);
  CHECK(parameters[0].shape == zeroth::Shape{2, 3});
  CHECK(parameters[0].data == rows.data());
  CHECK(parameters[1].shape == zeroth::Shape{5, 4});
  CHECK(parameters[1].role == Role::matrix);
  CHECK(parameters[2].shape == zeroth::Shape{1, 7});
  CHECK(parameters[2].role == Role::vector);
}

TEST_CASE("a block of an Eigen matrix is rejected unless it is contiguous") {
  ParameterSet parameters;
  Eigen::MatrixXf matrix(4, 5);
  auto rows = matrix.topRows(2);
  CHECK_THROWS_WITH(EigenBackend::add(parameters, "rows", rows), zeroth_test::contains_text("are not contiguous"));
  auto columns = matrix.leftCols(2);
  EigenBackend::add(parameters, "columns", columns);
  CHECK(parameters[0].shape == zeroth::Shape{2, 4});
}

}  // namespace
