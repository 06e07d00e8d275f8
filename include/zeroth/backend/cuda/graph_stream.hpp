// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth/backend/cuda/side_scope.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// A stream that can store a list of work as a graph and run it with one launch.
///
/// 1. `launch_stored(kernel, blocks, what)` launches a kernel whose values lie at that address in device memory; they
///    are read when its turn comes.
/// 2. `prepare_stored<Kernel>(what)` makes it possible to launch a kernel in this way for the first time within a
///    capture.
/// 3. `capture(body, what)` returns a `Graph` of the work that `body()` requests, none of which runs. The body itself
///    must mark the events for which it waits, and must wait for the side queue at the end. Outside, an event last
///    marked in a capture must not be waited for until it is marked again.
/// 4. `replay(graph, what)` queues the whole graph on the main queue; the side queue neither waits for it nor delays
///    it.
template <class T>
concept StreamWithGraphs = StreamWithSide<T> && std::equality_comparable<typename T::Event> &&
    requires(T const& stream, typename T::Graph const& graph, void (*body)(), std::string const& what) {
  { stream.capture(body, what) } -> std::same_as<typename T::Graph>;
  stream.replay(graph, what);
};

/// Copies the bytes stored after the kernel itself to their destination. Grid: one thread per byte.
struct StoredBytesKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  std::byte* to;
  std::uint64_t bytes;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (i < bytes) to[i] = reinterpret_cast<std::byte const*>(this)[sizeof(StoredBytesKernel) + i];
  }
};

/// A stream that hands its work to another stream in lists. A list like one seen before is kept as a graph: from then
/// on it takes one copy of the kernels' values to device memory, where the kernels read them, and one launch.
///
/// Two lists are alike if they have the same kernels, grids, products and events in the same order: the values of
/// kernels (seed, step, coefficients, masks, addresses) may differ, as may uploaded data. Other lists are handed over
/// piece by piece. Copies share the list and the graphs.
///
/// A list may end anywhere, for example when memory that it writes is freed: later work and waits keep the order in
/// which they were requested, whether collected or not.
template <StreamWithGraphs Device>
class GraphStream {
 public:
  using Event = typename Device::Event;
  static constexpr std::size_t most_graphs = 8;  ///< graphs kept, the most recently used

  explicit GraphStream(Device device) : device_(std::move(device)), state_(std::make_shared<State>(device_)) {}

  /// From now on work is collected, until a request has to wait.
  void collect() const {
    flush();
    state_->collects = true;
  }

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    static_assert(std::is_trivially_copyable_v<Kernel> && alignof(Kernel) <= alignment);
    if (!state_->collects) return on_queue([&] { device_.launch(kernel, blocks, what); });
    check_launch<Kernel>(blocks, what);  // here, not when the list is handed over
    Task& task = push(Kind::kernel, &issue_kernel<Kernel>, &kernel, sizeof kernel, what);
    task.prepare = &prepare_kernel<Kernel>;
    task.blocks = blocks;
  }

  /// Calls `callee->run(value, what)` of an object that works on the device's own stream; values are compared by ==.
  template <class Callee, class Value>
  void call(std::shared_ptr<Callee const> const& callee, Value const& value, std::string const& what) const {
    static_assert(std::is_trivially_copyable_v<Value> && alignof(Value) <= alignment);
    if (!state_->collects) return callee->run(value, what);
    Task& task = push(Kind::call, &issue_call<Callee, Value>, &value, sizeof value, what);
    task.callee = callee;
    task.same = [](std::byte const* a, std::byte const* b) {
      return *reinterpret_cast<Value const*>(a) == *reinterpret_cast<Value const*>(b);
    };
  }

  /// See Stream, as for what follows.
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& what) const {
    std::shared_ptr<std::byte> memory = device_.allocate(bytes, what);
    // Collected work may still write there.
    return {memory.get(), [memory, self = *this](std::byte*) mutable {
              self.flush_before_free();
              memory.reset();
            }};
  }
  void zero(void* memory, std::size_t bytes, std::string const& what) const {
    flush();
    on_queue([&] { device_.zero(memory, bytes, what); });
  }
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    finish();
    on_queue([&] { device_.transfer(to, from, bytes, what); });
  }
  void upload(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    if (bytes == 0) return;
    if (!state_->collects) return on_queue([&] { device_.upload(to, from, bytes, what); });
    StoredBytesKernel const header{static_cast<std::byte*>(to), bytes};
    Task& task = push(Kind::kernel, &issue_upload, &header, sizeof header, what);
    task.prepare = &prepare_kernel<StoredBytesKernel>;
    task.blocks = (bytes + block_threads - 1) / block_threads;
    task.bytes += bytes;
    auto const* const begin = static_cast<std::byte const*>(from);
    state_->list.values.insert(state_->list.values.end(), begin, begin + bytes);
  }
  void synchronize(std::string const& what) const {
    finish();
    on_queue([&] { device_.synchronize(what); });
  }
  [[nodiscard]] bool reaches(void const* memory) const { return device_.reaches(memory); }
  [[nodiscard]] std::uint64_t blocks_at_once() const { return device_.blocks_at_once(); }

  /// See StreamWithSide.
  [[nodiscard]] auto side() const { return SideScope(state_->on_side); }
  void record(Event const& event) const { mark(Kind::record, event); }
  void wait(Event const& event) const { mark(Kind::wait, event); }
  [[nodiscard]] Event make_event() const { return device_.make_event(); }
  [[nodiscard]] std::size_t cache_bytes() const { return device_.cache_bytes(); }

  [[nodiscard]] Device const& device() const noexcept { return device_; }

  /// How many lists ran as graphs so far, and how many pieces were handed over one by one.
  [[nodiscard]] std::uint64_t replays() const noexcept { return state_->replays; }
  [[nodiscard]] std::uint64_t pieces() const noexcept { return state_->pieces; }

 private:
  static constexpr std::size_t alignment = 16;

  enum class Kind : std::uint8_t { kernel, call, record, wait };

  struct Task {
    Kind kind;
    bool on_side;
    /// `stored`: the list's values in device memory, or null.
    void (*issue)(Device const& device, Task const& task, std::byte const* values, std::byte const* stored);
    std::size_t offset;  ///< within the list's values
    std::size_t bytes;
    std::string what;
    std::uint64_t blocks = 0;
    std::size_t event = 0;  ///< index in the list's events
    void (*prepare)(Device const& device, std::string const& what) = nullptr;
    std::shared_ptr<void const> callee{};
    bool (*same)(std::byte const*, std::byte const*) = nullptr;
  };

  struct List {
    std::vector<Task> tasks;
    std::vector<std::byte> values;
    std::vector<Event> events;

    [[nodiscard]] bool is_like(List const& other) const {
      return std::equal(
          tasks.begin(), tasks.end(), other.tasks.begin(), other.tasks.end(), [&](Task const& a, Task const& b) {
            return a.kind == b.kind && a.on_side == b.on_side && a.issue == b.issue && a.offset == b.offset &&
                   a.bytes == b.bytes && a.blocks == b.blocks && a.event == b.event && a.callee == b.callee &&
                   (a.same == nullptr || a.same(values.data() + a.offset, other.values.data() + b.offset));
          });
    }
  };

  struct Kept {
    List list;
    std::optional<typename Device::Graph> graph;
    std::shared_ptr<std::byte> stored;  ///< the list's values, in device memory
    std::uint64_t used = 0;
  };

  struct State {
    explicit State(Device const& device) : fork(device.make_event()), join(device.make_event()) {}
    List list;
    bool collects = false;
    bool on_side = false;
    std::vector<Kept> kept;
    Event fork;
    Event join;
    std::vector<Event> in_graphs;  // events last marked in a list that ran as a graph
    bool side_is_behind = false;   // the side queue has not yet waited for a graph on the main queue
    bool side_is_ahead = false;    // the main queue has not yet waited for work sent directly to the side queue
    std::uint64_t uses = 0;
    std::uint64_t replays = 0;
    std::uint64_t pieces = 0;
  };

  template <class Kernel>
  static void issue_kernel(Device const& device, Task const& task, std::byte const* values, std::byte const* stored) {
    if (stored != nullptr)
      device.launch_stored(reinterpret_cast<Kernel const*>(stored + task.offset), task.blocks, task.what);
    else
      device.launch(*reinterpret_cast<Kernel const*>(values + task.offset), task.blocks, task.what);
  }
  static void issue_upload(Device const& device, Task const& task, std::byte const* values, std::byte const* stored) {
    if (stored != nullptr) return issue_kernel<StoredBytesKernel>(device, task, values, stored);
    std::byte const* const from = values + task.offset;
    auto const& header = *reinterpret_cast<StoredBytesKernel const*>(from);
    device.upload(header.to, from + sizeof header, header.bytes, task.what);
  }
  template <class Callee, class Value>
  static void issue_call(Device const& /*device*/, Task const& task, std::byte const* values,
                         std::byte const* /*stored*/) {
    static_cast<Callee const*>(task.callee.get())
        ->run(*reinterpret_cast<Value const*>(values + task.offset), task.what);
  }

  template <class Kernel>
  static void prepare_kernel(Device const& device, std::string const& what) {
    device.template prepare_stored<Kernel>(what);
  }

  template <class Body>
  void on_queue(Body const& body) const {
    if (!state_->on_side) return body();
    if (state_->side_is_behind) wait_for_main();
    state_->side_is_ahead = true;
    auto const side = device_.side();
    body();
  }

  /// Makes the side queue wait for all work of the main queue.
  void wait_for_main() const {
    state_->side_is_behind = false;
    device_.record(state_->fork);
    auto const side = device_.side();
    device_.wait(state_->fork);
  }

  /// Makes the main queue wait for all work of the side queue.
  void wait_for_side() const {
    {
      auto const side = device_.side();
      device_.record(state_->join);
    }
    device_.wait(state_->join);
  }

  using Issue = void (*)(Device const&, Task const&, std::byte const*, std::byte const*);

  Task& push(Kind kind, Issue how, void const* value, std::size_t bytes, std::string const& what) const {
    List& list = state_->list;
    list.values.resize((list.values.size() + alignment - 1) / alignment * alignment);
    std::size_t const offset = list.values.size();
    auto const* const begin = static_cast<std::byte const*>(value);
    list.values.insert(list.values.end(), begin, begin + bytes);
    list.tasks.push_back({kind, state_->on_side, how, offset, bytes, what});
    return list.tasks.back();
  }

  void mark(Kind kind, Event const& event) const {
    if (!state_->collects) {
      return on_queue([&] {
        if (kind == Kind::record) {
          set_in_graph(event, false);
          device_.record(event);
        } else if (!is_in_graph(event)) {  // otherwise the queue comes after the graph, and so after the event
          device_.wait(event);
        }
      });
    }
    std::vector<Event>& events = state_->list.events;
    auto const found = std::find(events.begin(), events.end(), event);
    auto const index = static_cast<std::size_t>(found - events.begin());
    if (found == events.end()) events.push_back(event);
    push(kind, nullptr, nullptr, 0, {}).event = index;
  }

  [[nodiscard]] bool is_in_graph(Event const& event) const {
    std::vector<Event> const& events = state_->in_graphs;
    return std::find(events.begin(), events.end(), event) != events.end();
  }
  void set_in_graph(Event const& event, bool is) const {
    if (is == is_in_graph(event)) return;
    if (is)
      state_->in_graphs.push_back(event);
    else
      std::erase(state_->in_graphs, event);
  }

  void finish() const {
    flush();
    state_->collects = false;
  }
  void flush_before_free() const noexcept {
    try {
      flush();
    } catch (...) {  // NOLINT(bugprone-empty-catch): freeing memory must not throw
    }
  }

  /// Hands over the collected work.
  void flush() const {
    if (state_->list.tasks.empty()) return;
    List list = std::exchange(state_->list, {});
    wait_for_earlier(list);
    std::vector<Kept>& kept = state_->kept;
    auto found = std::find_if(kept.begin(), kept.end(), [&](Kept const& k) { return k.list.is_like(list); });
    if (found == kept.end()) {
      set_in_graph(list, false);
      state_->pieces += issue(list, nullptr);
      if (kept.size() < most_graphs)
        found = kept.emplace(kept.end());
      else
        found =
            std::min_element(kept.begin(), kept.end(), [](Kept const& a, Kept const& b) { return a.used < b.used; });
      *found = {std::move(list), std::nullopt, nullptr, ++state_->uses};
      return;
    }
    found->used = ++state_->uses;
    set_in_graph(list, true);
    if (!found->graph) {
      found->stored = device_.allocate(list.values.size(), "values of a graph");
      for (Task const& task : list.tasks)
        if (task.prepare != nullptr) task.prepare(device_, task.what);
      found->graph = device_.capture([&] { issue(list, found->stored.get()); }, "graph");
    }
    device_.upload(found->stored.get(), list.values.data(), list.values.size(), "values of a graph");
    if (std::exchange(state_->side_is_ahead, false)) wait_for_side();
    device_.replay(*found->graph, "graph");
    state_->side_is_behind = true;
    ++state_->replays;
  }

  void set_in_graph(List const& list, bool is) const {
    for (Task const& task : list.tasks)
      if (task.kind == Kind::record) set_in_graph(list.events[task.event], is);
  }

  /// Waits for events that the list waits for but does not mark: the whole list comes after them.
  void wait_for_earlier(List const& list) const {
    std::vector<bool> known(list.events.size());
    for (Task const& task : list.tasks) {
      if (task.kind == Kind::wait && !known[task.event] && !is_in_graph(list.events[task.event]))
        device_.wait(list.events[task.event]);
      if (task.kind == Kind::wait || task.kind == Kind::record) known[task.event] = true;
    }
  }

  /// Returns the number of launches, calls and uploads.
  std::uint64_t issue(List const& list, std::byte const* stored) const {
    // Every event waited for is marked in the list, or before all of it.
    std::vector<bool> marked(list.events.size());
    bool const forks = std::any_of(list.tasks.begin(), list.tasks.end(), [](Task const& t) { return t.on_side; });
    if (forks) wait_for_main();
    std::uint64_t count = 0;
    for (Task const& task : list.tasks) {
      auto run = [&] {
        if (task.kind == Kind::record) {
          device_.record(list.events[task.event]);
          marked[task.event] = true;
        } else if (task.kind == Kind::wait) {
          if (marked[task.event]) device_.wait(list.events[task.event]);
        } else {
          task.issue(device_, task, list.values.data(), stored);
          ++count;
        }
      };
      if (task.on_side) {
        auto const side = device_.side();
        run();
      } else {
        run();
      }
    }
    if (forks) wait_for_side();
    return count;
  }

  Device device_;
  std::shared_ptr<State> state_;
};

}  // namespace zeroth::ZEROTH_ISA::cuda
