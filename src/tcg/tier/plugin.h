// SPDX-License-Identifier: MIT
// Backends from shared objects: what a plugin has to offer (loader: load_plugins.h).
//
// A plugin exports one C function, pagoda_backend_entry, which returns a PluginInfo. Its first two fields never change
// their places: who reads another magic number or version looks no further. The rest is C++ (a row with a factory), so
// it has to be made from the very headers that the program was made from, which `headers` and the sizes tell.
// docs/write-a-plugin.md.
#pragma once

#include "base/result.h"
#include "plugin_headers.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/cache/unit.h"
#include "tcg/tier/backend.h"
#include "tcg/tier/services.h"

namespace pagoda::tier {

inline constexpr u64 kPluginMagic = 0x6e6f7067'61646f67;
inline constexpr u32 kPluginAbi = 1;

struct PluginInfo {
  u64 magic;
  u32 abi;
  u32 info_bytes;  // sizeof(PluginInfo)
  u64 headers;     // of the text of all headers that matter (meson.build)
  u32 backend_bytes, setup_bytes, job_bytes, statistics_bytes, unit_bytes, frame_bytes, services_bytes;
  const Backend* backend;  // `source` is ignored; lives as long as the program
};
using PluginEntry = const PluginInfo* (*)();
inline constexpr const char* kPluginEntryName = "pagoda_backend_entry";

// What a plugin returns that is made from the headers at hand.
constexpr PluginInfo plugin_info(const Backend* backend) {
  return {.magic = kPluginMagic,
          .abi = kPluginAbi,
          .info_bytes = sizeof(PluginInfo),
          .headers = kPluginHeaders,
          .backend_bytes = sizeof(Backend),
          .setup_bytes = sizeof(Setup),
          .job_bytes = sizeof(Job),
          .statistics_bytes = sizeof(Statistics),
          .unit_bytes = sizeof(Unit),
          .frame_bytes = sizeof(VcpuFrame),
          .services_bytes = sizeof(Services),
          .backend = backend};
}

}  // namespace pagoda::tier

// The entry point of a plugin with this row.
#define PAGODA_BACKEND_PLUGIN(row)                                                                           \
  extern "C" __attribute__((visibility("default"))) const pagoda::tier::PluginInfo* pagoda_backend_entry() { \
    static constexpr pagoda::tier::PluginInfo kInfo = pagoda::tier::plugin_info(&(row));                     \
    return &kInfo;                                                                                           \
  }
