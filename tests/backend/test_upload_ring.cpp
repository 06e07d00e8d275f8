// SPDX-License-Identifier: MIT
// Uploads through a ring of memory: the contents of the caller's memory arrive, however late the copies are made, and
// no memory is reused before its copy was made.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "zeroth/backend/cuda/upload_ring.hpp"

namespace {

/// A device that makes copies only when a later mark is waited for.
struct Device {
  std::deque<std::function<void()>> queue;
  std::size_t done = 0;
  std::size_t waits = 0;
  std::size_t allocations = 0;
  std::size_t marks = 0;

  void run_until(std::size_t count) {
    for (; done < count; ++done) {
      queue.front()();
      queue.pop_front();
    }
  }
  [[nodiscard]] std::size_t asked() const { return done + queue.size(); }
};

struct Port {
  using Mark = std::shared_ptr<std::size_t>;  ///< number of copies requested when it was set
  Device* device;

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes) const {
    ++device->allocations;
    return {new std::byte[bytes], std::default_delete<std::byte[]>()};
  }
  [[nodiscard]] Mark make_mark() const {
    ++device->marks;
    return std::make_shared<std::size_t>(0);
  }
  void set(Mark const& mark, int /*queue*/) const { *mark = device->asked(); }
  void wait(Mark const& mark) const {
    ++device->waits;
    device->run_until(*mark);
  }
};

using Ring = zeroth::cuda::UploadRing<Port>;

void upload(Ring& ring, Device& device, std::byte* to, std::vector<std::byte>& from) {
  ring.copy(to, from.data(), from.size(), [&](void* target, std::byte const* piece, std::size_t bytes) {
    device.queue.push_back([=] { std::memcpy(target, piece, bytes); });
    return 0;
  });
  std::fill(from.begin(), from.end(), std::byte{0xee});  // the caller may reuse it
}

}  // namespace

TEST_CASE("uploads through a ring arrive as they were, however late their copies are made") {
  std::mt19937 random(1);
  for (std::size_t ring_bytes : {std::size_t{2}, std::size_t{64}, std::size_t{1000}}) {
    Device device;
    Ring ring(Port{&device}, ring_bytes);
    std::vector<std::vector<std::byte>> expected;
    std::vector<std::vector<std::byte>> found;
    found.reserve(300);
    for (int i = 0; i < 300; ++i) {
      std::vector<std::byte> from(random() % (i % 10 == 0 ? 3 * ring_bytes : ring_bytes / 2));
      for (std::byte& b : from) b = static_cast<std::byte>(random());
      expected.push_back(from);
      found.emplace_back(from.size());
      upload(ring, device, found.back().data(), from);
      // Sometimes the device is ahead.
      if (random() % 4 == 0) device.run_until(device.done + random() % (device.queue.size() + 1));
    }
    device.run_until(device.asked());
    CHECK((found == expected));
    CHECK(device.allocations == 1);
    CHECK(device.marks <= ring_bytes + 1);  // marks are reused
  }
}

TEST_CASE("a ring waits for no copy while there is room, and for all of them in the end") {
  Device device;
  std::vector<std::byte> to(1000);
  {
    Ring ring(Port{&device}, 1000);
    CHECK(device.allocations == 0);
    for (std::size_t i = 0; i < 10; ++i) {
      std::vector<std::byte> from(100, std::byte{7});
      upload(ring, device, to.data() + 100 * i, from);
    }
    CHECK(device.waits == 0);
    std::vector<std::byte> from(150, std::byte{7});
    upload(ring, device, to.data(), from);
    CHECK(device.waits == 2);
  }
  CHECK(device.queue.empty());
}

TEST_CASE("an upload that fails leaves the ring as it was") {
  Device device;
  Ring ring(Port{&device}, 100);
  std::vector<std::byte> from(40, std::byte{3});
  CHECK_THROWS_AS(ring.copy(nullptr, from.data(), from.size(),
                            [](void*, std::byte const*, std::size_t) -> int { throw std::runtime_error("lost"); }),
                  std::runtime_error);
  std::vector<std::byte> to(40);
  upload(ring, device, to.data(), from);
  device.run_until(device.asked());
  CHECK(to == std::vector<std::byte>(40, std::byte{3}));
}
