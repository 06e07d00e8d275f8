// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/graph_stream.hpp>

#include "host_stream.hpp"

namespace zeroth_test {

/// The order in which a DeferredStream runs the work of its two queues.
enum class Order {
  side_late,   ///< the side queue only when the main queue waits for it
  side_early,  ///< the side queue as far as possible before the main queue
  random,
};

/// A HostStream that does not run work on request, but when the host waits, and in one of the worst orders that its two
/// queues and their events allow. Results are wrong if a necessary wait is missing.
///
/// Graphs behave as in CUDA. A capture marks its events only for itself: outside, they may not be waited for until they
/// are marked again, and running the graph does not mark them. A graph runs in its place in the main queue; its part of
/// the side queue is separate from the stream's side queue: neither waits for the other.
class DeferredStream {
  struct State;

 public:
  /// How often an event was marked, and which of these marks its queue has reached.
  struct Marks {
    std::uint64_t asked = 0;
    std::uint64_t reached = 0;
    bool in_capture = false;  ///< where it was last marked
  };
  using Event = std::shared_ptr<Marks>;

  /// Work to run repeatedly: see StreamWithGraphs.
  class Graph;

  explicit DeferredStream(Order order = Order::side_late, unsigned seed = 0)
      : state_(std::make_shared<State>(order, seed)) {}

  /// Ignores all further waits of that queue, to see that a test notices.
  void ignore_waits(bool of_side) const { state_->queues[of_side ? side_queue : main_queue].heeds = false; }

  /// Tasks of the side queue that ran while the main queue had earlier ones.
  [[nodiscard]] std::size_t overtakings() const { return state_->overtakings; }

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    zeroth::cuda::check_launch<Kernel>(blocks, what);
    work([host = state_->host, kernel, blocks, what] { host.launch(kernel, blocks, what); });
  }

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& what) const {
    refuse_in_capture();
    std::shared_ptr<std::byte> memory = state_->host.allocate(bytes, what);
    std::memset(memory.get(), 0xa5, bytes);
    zero(memory.get(), bytes, what);
    // Like cudaFree, waits for everything.
    return {memory.get(), [memory, state = state_](std::byte*) mutable {
              state->run_all();
              memory.reset();
            }};
  }

  void zero(void* memory, std::size_t bytes, std::string const& /*what*/) const {
    work([memory, bytes] { std::memset(memory, 0, bytes); });
  }
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    refuse_in_capture();
    work([to, from, bytes] { std::memcpy(to, from, bytes); });
    synchronize(what);
  }
  void upload(void* to, void const* from, std::size_t bytes, std::string const& /*what*/) const {
    auto const* const begin = static_cast<std::byte const*>(from);
    work([to, copy = std::vector<std::byte>(begin, begin + bytes)] { std::memcpy(to, copy.data(), copy.size()); });
  }

  [[nodiscard]] bool reaches(void const* memory) const { return state_->host.reaches(memory); }
  [[nodiscard]] static std::uint64_t blocks_at_once() { return HostStream::blocks_at_once(); }
  void synchronize(std::string const& /*what*/) const { state_->run(state_->queues[state_->current()]); }

  /// See StreamWithSide.
  [[nodiscard]] auto side() const {
    return std::shared_ptr<void>(state_.get(), [state = state_, before = std::exchange(state_->on_side, true)](void*) {
      state->on_side = before;
    });
  }
  void record(Event const& event) const { push({Kind::record, {}, event}); }
  void wait(Event const& event) const {
    if (state_->queues[state_->current()].heeds) push({Kind::wait, {}, event});
  }
  /// See StreamWithGraphs; rejects what CUDA does not or may not capture.
  template <class Kernel>
  void prepare_stored(std::string const& /*what*/) const {
    refuse_in_capture();
    state_->prepared.insert(name_of<Kernel>());
  }
  template <class Kernel>
  void launch_stored(Kernel const* kernel, std::uint64_t blocks, std::string const& what) const {
    if (state_->captured != nullptr && !state_->prepared.contains(name_of<Kernel>()))
      throw std::logic_error("a capture is the first to launch that kernel, which has to be loaded");
    zeroth::cuda::check_launch<Kernel>(blocks, what);
    work([host = state_->host, kernel, blocks, what] { host.launch(*kernel, blocks, what); });
  }
  template <class Body>
  [[nodiscard]] Graph capture(Body const& body, std::string const& what) const;
  void replay(Graph const& graph, std::string const& what) const;

  [[nodiscard]] static Event make_event() { return std::make_shared<Marks>(); }
  [[nodiscard]] static std::size_t cache_bytes() { return std::size_t{48} << 20; }

 private:
  enum class Kind { work, record, wait };

  /// The stream's queues, and the side queue of its graphs.
  static constexpr std::size_t main_queue = 0;
  static constexpr std::size_t side_queue = 1;
  static constexpr std::size_t graph_queue = 2;

  template <class Kernel>
  [[nodiscard]] static std::string name_of() {
    return __PRETTY_FUNCTION__;
  }

  /// An entry of a queue.
  struct Task {
    Kind kind = Kind::work;
    std::function<void()> work;
    Event event;
    std::uint64_t mark = 0;    ///< the mark that is set or waited for
    std::uint64_t number = 0;  ///< position in the order of requests
    std::size_t queue = main_queue;

    [[nodiscard]] bool is_ready() const { return kind != Kind::wait || event->reached >= mark; }
  };

  struct Queue {
    std::deque<Task> tasks;
    bool heeds = true;

    [[nodiscard]] bool is_ready() const { return !tasks.empty() && tasks.front().is_ready(); }
    void run_one() {
      Task const task = std::move(tasks.front());
      tasks.pop_front();
      if (task.kind == Kind::work) task.work();
      if (task.kind == Kind::record) task.event->reached = task.mark;
    }
  };

  struct State {
    State(Order how, unsigned seed) : order(how), random(seed) {}
    ~State() = default;
    State(State const&) = delete;
    State& operator=(State const&) = delete;

    HostStream host;
    std::array<Queue, 3> queues;
    Order order;
    std::mt19937 random;
    bool on_side = false;
    std::vector<Task>* captured = nullptr;  ///< tasks go here instead
    std::set<std::string> prepared;         ///< kernels
    std::uint64_t asked = 0;
    std::size_t overtakings = 0;

    [[nodiscard]] std::size_t current() const { return on_side ? side_queue : main_queue; }

    /// Runs until the queue is empty, and no further.
    void run(Queue& queue) {
      while (!queue.tasks.empty()) step();
    }
    void run_all() {
      for (Queue& queue : queues) run(queue);
    }

    /// Runs one task: a queue's last wait may be for work behind another queue's.
    void step() {
      std::vector<std::size_t> ready;
      for (std::size_t q = 0; q < queues.size(); ++q)
        if (queues[q].is_ready()) ready.push_back(q);
      if (ready.empty()) throw std::logic_error("each queue waits for another");
      std::size_t const taken = order == Order::side_late    ? ready.front()
                                : order == Order::side_early ? ready.back()
                                                             : ready[random() % ready.size()];
      Queue& queue = queues[taken];
      std::deque<Task> const& main = queues[main_queue].tasks;
      if (taken != main_queue && queues[main_queue].is_ready() && main.front().number < queue.tasks.front().number)
        ++overtakings;
      queue.run_one();
    }
  };

  void work(std::function<void()> work) const { push({Kind::work, std::move(work), nullptr}); }
  void push(Task task) const {
    task.queue = state_->current();
    if (state_->captured != nullptr) {
      if (task.kind == Kind::record) task.event->in_capture = true;
      return state_->captured->push_back(std::move(task));
    }
    if (task.kind == Kind::record) task.event->in_capture = false;
    if (task.kind == Kind::wait && task.event->in_capture)
      throw std::logic_error("a wait for an event that was last marked in a capture");
    enqueue(std::move(task));
  }
  void enqueue(Task task) const {
    if (task.kind == Kind::record) ++task.event->asked;
    if (task.kind != Kind::work) task.mark = task.event->asked;
    task.number = state_->asked++;
    std::size_t const queue = task.queue;
    state_->queues[queue].tasks.push_back(std::move(task));
  }
  void refuse_in_capture() const {
    if (state_->captured != nullptr) throw std::logic_error("CUDA does not capture what waits or takes memory");
  }

  std::shared_ptr<State> state_;
};

class DeferredStream::Graph {
  friend class DeferredStream;
  std::vector<Task> tasks;
};

template <class Body>
DeferredStream::Graph DeferredStream::capture(Body const& body, std::string const& /*what*/) const {
  Graph graph;
  state_->captured = &graph.tasks;
  try {
    body();
  } catch (...) {
    state_->captured = nullptr;
    throw;
  }
  state_->captured = nullptr;
  std::vector<Event> marked;
  Event last_of_side;  // null: the main queue has waited for all of the side queue
  bool side_is_open = false;
  bool side_has_begun = false;
  for (Task& task : graph.tasks) {
    bool const is_marked = std::find(marked.begin(), marked.end(), task.event) != marked.end();
    if (task.kind == Kind::wait && !is_marked) throw std::logic_error("a wait for what the graph does not mark");
    if (task.kind == Kind::record) marked.push_back(task.event);
    if (task.queue == side_queue) {
      if (!std::exchange(side_has_begun, true) && task.kind != Kind::wait)
        throw std::logic_error("the graph's side queue does not begin with a wait for the main one");
      task.queue = graph_queue;
      side_is_open = true;
      last_of_side = task.kind == Kind::record ? task.event : nullptr;
    } else if (task.kind == Kind::wait && task.event == last_of_side) {
      side_is_open = false;
    }
  }
  if (side_is_open) throw std::logic_error("the graph does not wait for its side queue");
  return graph;
}

inline void DeferredStream::replay(Graph const& graph, std::string const& /*what*/) const {
  refuse_in_capture();
  std::map<Event, Event> events;  // the graph's own events, of this run
  for (Task task : graph.tasks) {
    if (task.event != nullptr) {
      Event& own = events[task.event];
      if (own == nullptr) own = make_event();
      task.event = own;
    }
    enqueue(std::move(task));
  }
}

static_assert(zeroth::cuda::StreamWithGraphs<DeferredStream>);

}  // namespace zeroth_test
