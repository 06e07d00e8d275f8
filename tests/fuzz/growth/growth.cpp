// SPDX-License-Identifier: MIT
// Checks that the work of every reader grows no faster than its input, by counting instead of timing: the basic blocks
// executed, the bytes allocated, and the most held at once. Twice the input may take 2.8 times the work: n log n stays
// below that, n squared does not.
//   growth [SIZE]

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "growth.hpp"

namespace {

struct Work {
  std::uint64_t blocks = 0;
  std::uint64_t allocated = 0;
  std::uint64_t held = 0;
  std::uint64_t most_held = 0;
};

Work work;

void* allocate(std::size_t size) noexcept {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) return nullptr;
  const std::size_t usable = ::malloc_usable_size(memory);
  work.allocated += usable;
  work.held += usable;
  if (work.held > work.most_held) work.most_held = work.held;
  return memory;
}

void* allocate_or_throw(std::size_t size) {
  if (void* const memory = allocate(size)) return memory;
  throw std::bad_alloc();
}

void release(void* memory) noexcept {
  if (memory != nullptr) work.held -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

/// The compiler inserts a call at the beginning of each basic block of the code under test.
extern "C" void __sanitizer_cov_trace_pc() {
  ++work.blocks;
}

// The forms that do not throw are replaced too. So allocations of std::stable_sort are counted, and AddressSanitizer,
// which would otherwise supply its own, finds no memory that one of them allocated and the other frees.
void* operator new(std::size_t size) {
  return allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
  return allocate_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  release(memory);
}
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  release(memory);
}
void operator delete[](void* memory, const std::nothrow_t& /*tag*/) noexcept {
  release(memory);
}

namespace {

using zeroth_fuzz::LargeInput;

/// The work of reading, where `held` includes the size of the input.
Work measure(const LargeInput& input, std::size_t size) {
  const std::string text = input.make(size);
  const Work before = work;
  work.most_held = work.held;
  input.read(text);
  return {.blocks = work.blocks - before.blocks,
          .allocated = work.allocated - before.allocated,
          .held = text.size(),
          .most_held = work.most_held - before.held};
}

/// Whether twice the input takes more than 2.8 times as much.
bool grows_faster(std::uint64_t once, std::uint64_t twice) {
  constexpr std::uint64_t always = 100'000;  // work that does not depend on the input
  return 10 * twice > 28 * once + always;
}

bool check(const LargeInput& input, std::size_t size) {
  std::string wrong;
  Work once;
  Work twice;
  try {
    measure(input, 16);  // for allocations that are made once and kept
    once = measure(input, size);
    twice = measure(input, 2 * size);
    if (grows_faster(once.blocks, twice.blocks)) wrong = "the time grows faster than the input";
    if (grows_faster(once.allocated, twice.allocated)) wrong = "the memory that is taken grows faster than the input";
    if (grows_faster(once.most_held, twice.most_held)) wrong = "the memory that is held grows faster than the input";
    // Each reader's own limit and its tables come on top.
    constexpr std::uint64_t most_per_byte = 160;
    if (twice.most_held > most_per_byte * twice.held + (1u << 20))
      wrong = "it holds more than 160 bytes for one of input";
  } catch (const std::exception& error) {
    wrong = error.what();
  }
  const auto ratio = [](std::uint64_t a, std::uint64_t b) { return a == 0 ? 0.0 : double(b) / double(a); };
  std::cout << std::left << std::setw(44) << input.name << std::right << std::fixed << std::setprecision(2)
            << std::setw(10) << twice.held << std::setw(12) << twice.blocks << std::setw(7)
            << ratio(once.blocks, twice.blocks) << std::setw(12) << twice.allocated << std::setw(7)
            << ratio(once.allocated, twice.allocated) << std::setw(12) << twice.most_held << std::setw(7)
            << ratio(twice.held, twice.most_held) << (wrong.empty() ? "" : "  FAILED: " + wrong) << '\n';
  return wrong.empty();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t size = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
  if (size == 0) {
    std::cerr << "usage: growth [SIZE]\n";
    return 2;
  }
  std::cout
      << "twice the input: its bytes, basic blocks and how many times those of half of it, bytes allocated and how\n"
         "many times those of half, most bytes held at once and how many for each byte of input\n";
  std::size_t failed = 0;
  std::size_t count = 0;
  for (const auto& inputs : {zeroth_fuzz::large_model_inputs(), zeroth_fuzz::large_task_inputs()}) {
    for (const LargeInput& input : inputs) {
      ++count;
      failed += check(input, size) ? 0 : 1;
    }
  }
  std::cout << count << " forms of inputs: " << failed << " failed\n";
  return failed == 0 && count > 0 ? 0 : 1;
}
