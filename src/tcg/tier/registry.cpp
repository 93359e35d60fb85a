// SPDX-License-Identifier: MIT
// The table of backends, and who is chosen.
#include <array>
#include <cstdlib>

#include "base/check.h"
#include "base/suggest.h"
#include "tcg/cache/code_memory.h"
#include "tcg/tier/backend.h"

namespace pagoda::tier {
namespace {

constexpr FeatureName kFeatureNames[] = {
    {kFloat, "float"},        {kSimd, "simd"},   {kAtomics, "atomics"},
    {kParallel, "parallel"},  {kBatch, "batch"}, {kPersistent, "persistent"},
    {kHostCode, "host-code"},
};

constexpr Backend kBackends[] = {
    {.name = "interpreter",
     .tier = 0,
     .features = kFloat | kAtomics | kParallel,
     .opt_levels = 0,
     .guests = {},
     .fallback = nullptr,
     .summary = "fused threaded code; without fusion the reference",
     .create = make_interpreter},
    {.name = "lightweight",
     .tier = 1,
     .features = kFloat | kAtomics | kParallel | kHostCode,
     .opt_levels = 0,
     .guests = {},
     .fallback = "interpreter",
     .summary = "host code of one block in one pass",
     .create = make_lightweight},
};

}  // namespace

void Statistics::add(const Statistics& other) {
  units += other.units;
  guest_insns += other.guest_insns;
  host_bytes += other.host_bytes;
  ops += other.ops;
  stepped_ops += other.stepped_ops;
  no_room += other.no_room;
  refused += other.refused;
  failed += other.failed;
  over_budget += other.over_budget;
  loops += other.loops;
  for (u32 i = 0; i < interp::kFusionCount; ++i) fusions[i] += other.fusions[i];
  timed_insns += other.timed_insns;
  ns += other.ns;
}

u64 Engine::compile_batch(u32 thread, std::span<Job> jobs, std::span<Outcome> outcomes) {
  CHECK(jobs.size() == outcomes.size());
  for (u64 i = 0; i < jobs.size(); ++i) {
    outcomes[i] = compile(thread, jobs[i]);
    if (outcomes[i] == Outcome::no_room) return i + 1;
  }
  return jobs.size();
}

std::span<const FeatureName> feature_names() { return kFeatureNames; }
std::span<const Backend> backends() { return kBackends; }

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : kBackends) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

bool is_available(const Backend& backend) {
  return (backend.features & kHostCode) == 0 || CodeMemory::create(std::size_t{1} << 20).has_value();
}

const Backend& fallback_backend() { return kBackends[0]; }

const Backend& default_backend() {
  const Backend* best = &fallback_backend();
  for (const Backend& backend : kBackends) {
    if (is_available(backend)) best = &backend;
  }
  return *best;
}

Result<const Backend*> backend_of_environment() {
  const char* name = std::getenv("PAGODA_BACKEND");
  if (name == nullptr || *name == 0) return nullptr;
  if (const Backend* found = find_backend(name)) return found;
  std::array<std::string_view, std::size(kBackends)> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kBackends[i].name;
  return fail("PAGODA_BACKEND: unknown backend '{}'{} (\"pagoda backends\" lists them)", name, suggestion(name, names));
}

}  // namespace pagoda::tier
