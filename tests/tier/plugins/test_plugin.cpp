// SPDX-License-Identifier: MIT
// A plugin that is wrong in the way that its file's name says; as other_guest.so and no_engine.so it is right, but of
// little use. Tests copy the file: of two links to one file the second is not loaded again.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "tcg/tier/plugin.h"

namespace {

using namespace pagoda;

volatile int* volatile nowhere = nullptr;
constexpr const char* kArm[] = {"arm64"};

std::string_view own_name() {
  Dl_info info;
  if (dladdr(&kArm, &info) == 0) return {};
  std::string_view name = info.dli_fname;
  name.remove_prefix(name.rfind('/') + 1);
  return name.substr(0, name.find('.'));
}
bool is(std::string_view name) { return own_name() == name; }

Result<std::unique_ptr<tier::Engine>> make(const tier::Setup&) { return fail("the test's backend makes no engine"); }

tier::Backend row() {
  tier::Backend made{.name = "test",
                     .tier = 1,
                     .features = 0,
                     .opt_levels = 0,
                     .guests = {},
                     .fallback = "interpreter",
                     .summary = "of a test",
                     .create = make};
  if (is("duplicate")) made.name = "lightweight";
  if (is("bad_name")) made.name = "Bad name";
  if (is("no_engine")) made.name = "no-engine";
  if (is("tier_zero")) made.tier = 0;
  if (is("other_guest")) made.guests = kArm;
  if (is("no_fallback")) made.fallback = "lightweight";
  if (is("incomplete")) made.create = nullptr;
  return made;
}

tier::PluginInfo info() {
  static const tier::Backend backend = row();
  tier::PluginInfo made = tier::plugin_info(&backend);
  if (is("other_magic")) ++made.magic;
  if (is("other_version")) made = {.magic = tier::kPluginMagic, .abi = tier::kPluginAbi + 1};
  if (is("other_headers")) made.headers ^= 1;
  if (is("other_sizes")) made.unit_bytes += 8;
  if (is("no_row")) made.backend = nullptr;
  return made;
}

struct AtLoad {
  AtLoad() {
    if (is("crash")) *nowhere = 1;
    if (is("abort")) std::abort();
    if (is("exits")) _exit(0);
    if (is("throws")) throw std::runtime_error("no");
    while (is("hangs")) pause();
  }
} at_load;

}  // namespace

extern "C" __attribute__((visibility("default"))) const tier::PluginInfo* pagoda_backend_entry() {
  if (is("entry_crashes")) *nowhere = 1;
  if (is("null_entry")) return nullptr;
  static const tier::PluginInfo made = info();
  return &made;
}
