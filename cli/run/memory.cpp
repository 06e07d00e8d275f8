// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <fstream>
#include <sstream>
#include <string>

#include <sys/resource.h>

namespace zeroth::cli {

std::uint64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("VmHWM:")) continue;
    std::istringstream fields(line.substr(6));
    if (std::uint64_t kibibytes = 0; fields >> kibibytes) return kibibytes * 1024;
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
  return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace zeroth::cli
