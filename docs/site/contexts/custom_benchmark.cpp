// SPDX-License-Identifier: MIT
// @parse only: it measures for minutes, and needs Google Benchmark. bench/custom.cpp is built with the benchmarks.
#define main main_of_custom
#include "bench/custom.cpp"
#undef main

std::vector<float> const weights(1000, 1.0F);
std::vector<double> const centre(1000, 0.0);
std::vector<double> const curvatures(1000, 1.0);

// @block
