// SPDX-License-Identifier: MIT
#include <cstdint>
#include <vector>

#include "../../cli/run/evaluation.hpp"
#include "catch.hpp"

using namespace zeroth::cli;
using Indices = std::vector<std::size_t>;
using Groups = std::vector<std::uint32_t>;

TEST_CASE("accuracy is the share of right predictions") {
  Indices const labels{0, 1, 2, 1};
  Indices const predictions{0, 1, 1, 0};
  CHECK(accuracy({labels, predictions, {}}) == 0.5);
  CHECK(accuracy({labels, labels, {}}) == 1);
}

TEST_CASE("F1 counts only the positive candidate") {
  // For candidate 1: 2 found, 1 false alarm, 1 missed: precision 2/3, recall 2/3.
  Indices const labels{1, 1, 1, 0, 0, 2};
  Indices const predictions{1, 1, 0, 1, 0, 2};
  CHECK(f1({labels, predictions, {}}, 1) == Approx(2.0 / 3));
  CHECK(f1({labels, predictions, {}}, 0) == Approx(0.5));
  CHECK(f1({labels, predictions, {}}, 2) == 1);
  CHECK(f1({labels, predictions, {}}, 3) == 0);
  Indices const rarely{1, 0, 0, 0, 0, 0};
  CHECK(f1({labels, rarely, {}}, 1) == Approx(0.5));  // precision 1, recall 1/3
  Indices const never(6, 2);
  CHECK(f1({labels, never, {}}, 1) == 0);
}

TEST_CASE("exact match wants all predictions of a group right") {
  Indices const labels{0, 1, 1, 0, 1};
  Indices const predictions{0, 1, 0, 0, 1};
  Groups const each{0, 1, 2, 3, 4};
  Groups const pairs{0, 0, 2, 2, 4};
  Groups const mixed{0, 1, 0, 1, 0};
  CHECK(exact_match({labels, predictions, each}) == Approx(0.8));
  CHECK(exact_match({labels, predictions, pairs}) == Approx(2.0 / 3));
  CHECK(exact_match({labels, predictions, mixed}) == Approx(0.5));
}

TEST_CASE("an evaluation is reported with its metric first, and without accuracy if it has none") {
  Metric const plain;
  Metric const f1{Metric::Kind::f1, 1};
  Metric const text{Metric::Kind::loss, 0};
  EvaluationMetrics const before{0, 0.25, 0.5, 1.5, 3};
  EvaluationMetrics const after{2, 0.75, 0.625, 0.5, 3};
  CHECK(summary_of(before, plain) == "accuracy 0.2500, loss 1.5000");
  CHECK(summary_of(before, f1) == "f1 0.5000, accuracy 0.2500, loss 1.5000");
  CHECK(summary_of({0, std::nullopt, 2, 2, 3}, text) == "loss 2.0000");
  CHECK(summary_of(before, after, f1) == "f1 0.5000 -> 0.6250, accuracy 0.2500 -> 0.7500, loss 1.5000 -> 0.5000");
}
