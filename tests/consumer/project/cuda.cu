// SPDX-License-Identifier: MIT
// A user's engine on a GPU: raw device pointers, its own stream, and no compiler flag that zeroth would require.
#include <cstdio>

#include <zeroth/backend/cuda.hpp>
#include <zeroth/zeroth.hpp>

__global__ void square(float const* weights, float* squares) {
  squares[threadIdx.x] = weights[threadIdx.x] * weights[threadIdx.x];
}

int main() {
  try {
    cudaStream_t stream = nullptr;
    zeroth::cuda::check(cudaStreamCreate(&stream), "cudaStreamCreate", "engine");
    zeroth::CudaBackend const backend(0, stream);
    constexpr unsigned size = 64;
    float* weights = nullptr;
    float* squares = nullptr;
    zeroth::cuda::check(cudaMalloc(&weights, size * sizeof(float)), "cudaMalloc", "engine");
    zeroth::cuda::check(cudaMallocManaged(&squares, size * sizeof(float)), "cudaMallocManaged", "engine");
    zeroth::cuda::check(cudaMemsetAsync(weights, 0x3c, size * sizeof(float), stream), "cudaMemsetAsync", "engine");

    zeroth::ParameterSet parameters;
    parameters.add("weights", zeroth::Role::matrix, {8, 8}, zeroth::DataType::f32, weights);
    zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75}, backend,
                                           {.epsilon = 1e-3, .learning_rate = 1e-3});
    auto const loss = [&] {
      square<<<1, size, 0, stream>>>(weights, squares);
      backend.synchronize();
      double sum = 0;
      for (unsigned i = 0; i < size; ++i) sum += squares[i];
      return sum;
    };
    double const before = loss();
    for (int step = 0; step < 100; ++step) optimizer.step(loss);
    std::printf("loss: %g before, %g after\n", before, loss());
    return loss() < before ? 0 : 1;
  } catch (zeroth::CudaError const& error) {
    std::printf("skipped: %s\n", error.what());
    return 77;
  }
}
