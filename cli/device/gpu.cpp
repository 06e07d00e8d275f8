// SPDX-License-Identifier: MIT
#include "gpu.hpp"

#include <zeroth/error.hpp>

namespace zeroth::cli {

#ifdef ZEROTH_PROGRAM_HAS_CUDA
/// In gpu.cu.
std::shared_ptr<Gpu const> open_cuda(std::uint32_t device);
#endif

std::shared_ptr<Gpu const> open_gpu(std::optional<std::uint32_t> device) {
  if (!device) return nullptr;
#ifdef ZEROTH_PROGRAM_HAS_CUDA
  return open_cuda(*device);
#else
  throw InvalidArgument("--device: this program was built without CUDA; build it with nvcc 13 and -DZEROTH_CUDA=ON");
#endif
}

}  // namespace zeroth::cli
