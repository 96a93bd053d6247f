// Tasks on the threads of XLA, and memory that outlives a call.
//
// oneDNN runs with one thread inside each task, so that it has exactly the threads of JAX: no OpenMP team of its own
// competes with them, and a strip of rows stays in the cache of one core.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace texjax {

// oneDNN asks OpenMP for the number of threads, of the calling thread, both where it compiles and where it runs.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

// The tasks 0 ... count - 1 of a call. The threads that help may come late, after the call has returned: then they find
// no task left, and do not touch `body`.
template <typename Body>
struct Tasks {
  Tasks(long count, Body* body) : count(count), body(body) {}

  void work() {
    OneThread one_thread;
    for (long task; (task = next.fetch_add(1)) < count;) {
      try {
        (*body)(task);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
      if (done.fetch_add(1) + 1 == count) done.notify_all();
    }
  }

  const long count;
  Body* const body;
  std::atomic<long> next{0}, done{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
};

// Run body(0) ... body(count - 1) on this thread and those of the pool. This thread waits for nothing but tasks that
// another one has begun, so that a busy pool cannot block it.
template <typename Body>
void parallel(xla::ffi::ThreadPool& pool, long count, Body body) {
  auto tasks = std::make_shared<Tasks<Body>>(count, &body);
  long helpers = std::min<long>(pool.num_threads(), count) - 1;
  for (long i = 0; i < helpers; ++i) pool.Schedule([tasks] { tasks->work(); });
  tasks->work();
  for (long done; (done = tasks->done.load()) < count;) tasks->done.wait(done);
  if (tasks->failed) std::rethrow_exception(tasks->error);
}

constexpr size_t ALIGNMENT = 64;

struct Block {
  explicit Block(size_t size) : data(std::aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)) {
    if (!data) throw std::bad_alloc();
    bytes = size;
  }
  Block(const Block&) = delete;
  ~Block() { std::free(data); }

  void* data;
  size_t bytes;
};

// Memory of a call. It goes back to a list and not to the system, which would have to clear its pages each time anew.
class Arena {
 public:
  explicit Arena(size_t bytes) {
    std::lock_guard lock(mutex_);
    auto fits = [&](const auto& block) { return block->bytes >= bytes && block->bytes <= 2 * bytes + KEPT; };
    auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found == free_.end()) {
      block_ = std::make_unique<Block>(std::max<size_t>(bytes, ALIGNMENT));
    } else {
      block_ = std::move(*found);
      free_.erase(found);
    }
  }
  ~Arena() {
    std::lock_guard lock(mutex_);
    free_.insert(free_.begin(), std::move(block_));
    if (free_.size() > LARGEST) free_.pop_back();  // the one that was not used for longest
  }
  void* data() const { return block_->data; }

 private:
  static constexpr size_t LARGEST = 8, KEPT = 1 << 20;
  static inline std::mutex mutex_;
  static inline std::vector<std::unique_ptr<Block>> free_;
  std::unique_ptr<Block> block_;
};

// Memory of a thread, one for each purpose, that grows as it has to.
template <int Purpose>
void* scratch(size_t bytes) {
  thread_local std::unique_ptr<Block> block;
  if (!block || block->bytes < bytes) block = std::make_unique<Block>(std::max<size_t>(bytes, 4096));
  return block->data;
}

}  // namespace texjax
