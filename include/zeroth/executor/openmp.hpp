// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>

namespace zeroth::ZEROTH_ISA {

/// OpenMP's threads as an executor. Without -fopenmp it runs on the calling thread.
class OpenMpExecutor {
 public:
  /// @param threads number of threads; 0: as many as OpenMP would use
  explicit OpenMpExecutor(unsigned threads = 0) : threads_(threads) {
#ifdef _OPENMP
    if (threads_ == 0) threads_ = static_cast<unsigned>(omp_get_max_threads());
#else
    threads_ = 1;
#endif
  }

  [[nodiscard]] unsigned concurrency() const noexcept {
    return threads_;
  }

  void parallel_for(std::size_t count, IndexedTask body) const {
#ifdef _OPENMP
    if (threads_ > 1 && count > 1) {
      std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast <int>(threads_))
      for (std::size_t i = 0; i < count; ++i) {
        try {
          body(i);
        } catch (...) {
#pragma omp critical(zeroth_openmp_failure)
          failure = std::current_exception();
        }
      }
      if (failure) std::rethrow_exception(failure);
      return;
    }
#endif
    SerialExecutor{}.parallel_for(count, body);
  }

 private:
  unsigned threads_;
};

static_assert(Executor<OpenMpExecutor>);

}  // namespace zeroth::ZEROTH_ISA
