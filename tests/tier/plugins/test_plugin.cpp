// SPDX-License-Identifier: MIT
// One plugin for each way of being wrong (meson.build defines which), and two that are right but of little use.
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "tcg/tier/plugin.h"

#ifdef PLUGIN_undefined_symbol
extern "C" __attribute__((visibility("default"))) void nobody_has_this();
#endif

namespace {

using namespace pagoda;

[[maybe_unused]] Result<std::unique_ptr<tier::Engine>> make(const tier::Setup&) {
  return fail("the test's backend makes no engine");
}

[[maybe_unused]] constexpr const char* kArm[] = {"arm64"};
[[maybe_unused]] constexpr tier::Backend kBackend{
#if defined(PLUGIN_duplicate)
    .name = "lightweight",
#elif defined(PLUGIN_bad_name)
    .name = "Bad name",
#elif defined(PLUGIN_no_engine)
    .name = "no-engine",
#else
    .name = "test",
#endif
#ifdef PLUGIN_tier_zero
    .tier = 0,
#else
    .tier = 1,
#endif
    .features = 0,
    .opt_levels = 0,
#ifdef PLUGIN_other_guest
    .guests = kArm,
#else
    .guests = {},
#endif
#ifdef PLUGIN_no_fallback
    .fallback = "lightweight",
#else
    .fallback = "interpreter",
#endif
    .summary = "of a test",
#ifdef PLUGIN_incomplete
    .create = nullptr,
#else
    .create = make,
#endif
};

[[maybe_unused]] tier::PluginInfo info() {
  tier::PluginInfo made = tier::plugin_info(&kBackend);
#ifdef PLUGIN_other_magic
  ++made.magic;
#endif
#ifdef PLUGIN_other_version
  made = {.magic = tier::kPluginMagic, .abi = tier::kPluginAbi + 1};
#endif
#ifdef PLUGIN_other_headers
  made.headers ^= 1;
#endif
#ifdef PLUGIN_other_sizes
  made.unit_bytes += 8;
#endif
#ifdef PLUGIN_no_row
  made.backend = nullptr;
#endif
  return made;
}

#if defined(PLUGIN_crash) || defined(PLUGIN_entry_crashes)
volatile int* volatile nowhere = nullptr;
#endif

struct AtLoad {
  AtLoad() {
#ifdef PLUGIN_crash
    *nowhere = 1;
#endif
#ifdef PLUGIN_abort
    std::abort();
#endif
#ifdef PLUGIN_exits
    _exit(0);
#endif
#ifdef PLUGIN_throws
    throw std::runtime_error("no");
#endif
#ifdef PLUGIN_hangs
    for (;;) pause();
#endif
#ifdef PLUGIN_undefined_symbol
    nobody_has_this();
#endif
  }
} at_load;

}  // namespace

#ifndef PLUGIN_no_entry
extern "C" __attribute__((visibility("default"))) const tier::PluginInfo* pagoda_backend_entry() {
#ifdef PLUGIN_entry_crashes
  *nowhere = 1;
#endif
#ifdef PLUGIN_null_entry
  return nullptr;
#else
  static const tier::PluginInfo kInfo = info();
  return &kInfo;
#endif
}
#endif
