// SPDX-License-Identifier: MIT
// The table of backends, and who is chosen.
#include <algorithm>
#include <cstdlib>
#include <iterator>

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
    {.name = "optimizing",
     .tier = 2,
     .features = kFloat | kAtomics | kParallel | kHostCode,
     .opt_levels = 3,
     .guests = {},
     .fallback = "lightweight",
     .summary = "host code of hot regions, optimized; of other blocks as lightweight",
     .create = make_optimizing},
};

// The table and what came from plugins, whose rows never move.
constexpr std::size_t kMostBackends = 32;
std::vector<Backend>& table() {
  static std::vector<Backend> all = [] {
    std::vector<Backend> rows;
    rows.reserve(kMostBackends);
    rows.assign(std::begin(kBackends), std::end(kBackends));
    return rows;
  }();
  return all;
}

}  // namespace

u64 Engine::compile_batch(u32 thread, std::span<Job> jobs, std::span<Outcome> outcomes) {
  CHECK(jobs.size() == outcomes.size());
  for (u64 i = 0; i < jobs.size(); ++i) {
    outcomes[i] = compile(thread, jobs[i]);
    if (outcomes[i] == Outcome::no_room) return i + 1;
  }
  return jobs.size();
}

std::span<const FeatureName> feature_names() { return kFeatureNames; }
std::span<const Backend> backends() { return table(); }

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : table()) {
    if (backend.name == name) return &backend;
  }
  return nullptr;
}

Result<> check_backend(const Backend& backend) {
  const std::string_view name = backend.name != nullptr ? backend.name : "";
  const auto is_good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (name.empty() || !std::ranges::all_of(name, is_good))
    return fail("the backend's name '{}' is not of lower-case letters, digits and '-'", name);
  if (find_backend(name) != nullptr) return fail("there is a backend '{}' already", name);
  if (backend.tier == 0) return fail("backend '{}' is of tier 0, which is the interpreter's", name);
  if (backend.create == nullptr || backend.summary == nullptr) return fail("backend '{}' is not complete", name);
  const Backend* fallback = backend.fallback != nullptr ? find_backend(backend.fallback) : nullptr;
  if (fallback == nullptr || fallback->tier >= backend.tier)
    return fail("backend '{}' has no fallback of a lower tier", name);
  if (table().size() == kMostBackends) return fail("there are {} backends already", kMostBackends);
  return {};
}

Result<> add_backend(const Backend& backend, const char* source) {
  TRY(check_backend(backend));
  table().push_back(backend);
  table().back().source = source;
  return {};
}

const Backend* select(const Requirements& needs) {
  const Backend* best = nullptr;
  for (const Backend& backend : table()) {
    const bool is_for_guest =
        needs.guest.empty() || backend.guests.empty() ||
        std::ranges::any_of(backend.guests, [&](const char* guest) { return needs.guest == guest; });
    if (!is_for_guest || (backend.features & needs.features) != needs.features ||
        backend.opt_levels < needs.opt_level || backend.tier > needs.max_tier ||
        (needs.is_built_in && backend.source != nullptr))
      continue;
    const bool is_better = best == nullptr || (needs.aim == Requirements::Aim::latency ? backend.tier < best->tier
                                                                                       : backend.tier > best->tier);
    if (is_better && is_available(backend)) best = &backend;
  }
  return best;
}

bool is_available(const Backend& backend) {
  return (backend.features & kHostCode) == 0 || CodeMemory::create(std::size_t{1} << 20).has_value();
}

const Backend& fallback_backend() { return table()[0]; }

const Backend& default_backend() { return *select({.is_built_in = true}); }  // tier 0 is always there

Result<const Backend*> backend_of_environment() {
  const char* name = std::getenv("PAGODA_BACKEND");
  if (name == nullptr || *name == 0) return nullptr;
  if (const Backend* found = find_backend(name)) return found;
  std::vector<std::string_view> names;
  for (const Backend& backend : table()) names.push_back(backend.name);
  return fail("PAGODA_BACKEND: unknown backend '{}'{} (\"pagoda backends\" lists them)", name, suggestion(name, names));
}

}  // namespace pagoda::tier
