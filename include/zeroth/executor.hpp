// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// Type-erased, non-owning reference to a callable `void(std::size_t)`; two pointers, valid while the callable lives.
class IndexedTask {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, IndexedTask> && std::invocable<F&, std::size_t>)
      IndexedTask(F& body)  // NOLINT(google-explicit-constructor): a reference type, meant to bind at the call
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        call_([](void* object, std::size_t index) { (*static_cast<F*>(object))(index); }) {}

  void operator()(std::size_t index) const { call_(object_, index); }

 private:
  void* object_;
  void (*call_)(void*, std::size_t);
};

/// Runs every index on the calling thread, in order.
struct SerialExecutor {
  [[nodiscard]] unsigned concurrency() const noexcept { return 1; }

  void parallel_for(std::size_t count, IndexedTask body) const {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
};

/// A thread pool that the optimizer borrows: zeroth's (executor/thread_pool.hpp), OpenMP's (executor/openmp.hpp), an
/// engine's own, or none.
///
/// 1. `concurrency()` is how many bodies may run at once, at least 1: a hint for how finely to divide work.
/// 2. `parallel_for(count, body)` calls `body(i)` once for each i in [0, count), in any order, on any threads, and
///    returns when all are done.
/// 3. If bodies throw, `parallel_for` throws one of the exceptions after every body has ended.
/// 4. Results never depend on the executor: everything that zeroth computes has the same bits with each.
///
/// The smallest type that satisfies it is `SerialExecutor`.
template <class T>
concept Executor = requires(T& executor, std::size_t count, IndexedTask body) {
  { executor.concurrency() } -> std::convertible_to<unsigned>;
  executor.parallel_for(count, body);
};

/// Type-erased, non-owning reference to an executor. The default one is serial. Copying copies the reference.
class AnyExecutor {
 public:
  AnyExecutor() noexcept
      : object_(nullptr),
        concurrency_([](void*) -> unsigned { return 1; }),
        run_([](void*, std::size_t count, IndexedTask body) { SerialExecutor{}.parallel_for(count, body); }) {}

  /// Refers to `executor`, which must outlive this object and every copy of it.
  template <Executor T>
  requires(!std::same_as<T, AnyExecutor>) AnyExecutor(T& executor)
  noexcept  // NOLINT(google-explicit-constructor): a reference type
      : object_(const_cast<void*>(static_cast<void const*>(std::addressof(executor)))),
        concurrency_([](void* object) -> unsigned { return static_cast<T*>(object)->concurrency(); }),
        run_([](void* object, std::size_t count, IndexedTask body) {
          static_cast<T*>(object)->parallel_for(count, body);
        }) {}

  [[nodiscard]] unsigned concurrency() const { return concurrency_(object_); }

  /// Calls `body(i)` for each i in [0, count); see Executor.
  template <std::invocable<std::size_t> F>
  void parallel_for(std::size_t count, F&& body) const {
    run_(object_, count, IndexedTask(body));
  }

 private:
  void* object_;
  unsigned (*concurrency_)(void*);
  void (*run_)(void*, std::size_t, IndexedTask);
};

}  // namespace zeroth::ZEROTH_ISA
