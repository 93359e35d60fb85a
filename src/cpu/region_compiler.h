// SPDX-License-Identifier: MIT
// RegionCompiler: makes code of hot regions, on a thread of its own or at once.
//
// A vcpu that finds a unit hot takes a sample of where control goes (Sampler), forms a plan of it, and hands the plan
// with the guest bytes of its units over. Here the units are lifted again from those bytes, compiled, and published
// unless one of them went out of use meanwhile, which is also what happens when its bytes were written. Threading:
// request() on any vcpu's thread; the rest inside.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/guest.h"
#include "tcg/cache/code_cache.h"
#include "tcg/cache/perf_map.h"
#include "tcg/opt/build.h"
#include "tcg/opt/form.h"
#include "tcg/tier/backend.h"
#include "tcg/tier/fallback.h"

namespace pagoda {

class RegionCompiler {
 public:
  struct Options {
    bool in_background = true;
    bool forward_state = true;
    PerfMap* perf_map = nullptr;
    opt::FormLimits limits;
  };
  // `reader`: its number among the cache's.
  RegionCompiler(const Guest& guest, const tier::Backend& backend, tier::Engine& engine, CodeCache& cache, u32 reader,
                 const Options& options);
  ~RegionCompiler();
  RegionCompiler(const RegionCompiler&) = delete;
  RegionCompiler& operator=(const RegionCompiler&) = delete;

  // Whether a region that begins with the unit may still be asked for.
  bool may_try(const Unit& root, u64 time) { return guard_.may_try(root.warmth, time); }
  // Forms and compiles the region of a sample's first unit; `features` as Vcpu::features(), `time` in instructions of
  // the vcpu. Units of the sample cannot go away during the call. False: no region comes of it.
  bool request(std::span<const opt::Sample> samples, u32 memory_mode, u64 features, u64 time);

  struct Statistics {
    u64 requested = 0;  // plans that were made
    u64 unformed = 0;   // samples of which nothing came
    u64 published = 0, failed = 0;
    u64 stale = 0;    // gone out of use before they were ready
    u64 dropped = 0;  // of too many that waited
    u64 longest = 0;  // queue
    tier::Guard::Statistics guard;
  };
  Statistics statistics() const;

 private:
  struct Job {
    opt::RegionPlan plan;
    CodeCache::Making making;
    std::vector<std::vector<u8>> bytes;  // by unit of `making`
    u64 pc = 0, features = 0, time = 0;
    Unit* root = nullptr;
    u32 mode = 0;
  };
  void work();
  void compile(Job& job);

  const Guest& guest_;
  tier::Engine& engine_;
  CodeCache& cache_;
  tier::Guard guard_;
  const u32 reader_;
  const Options options_;
  ir::Builder ir_builder_;
  std::vector<ir::Block> blocks_;
  std::mutex compile_mutex_;  // without a thread of its own: one at a time
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  bool ends_ = false;
  Statistics statistics_;
  std::thread thread_;
};

}  // namespace pagoda
