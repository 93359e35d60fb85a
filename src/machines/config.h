// SPDX-License-Identifier: MIT
// MachineConfig: everything the command line said, parsed and typed, and nothing that needs a machine to know.
//
// src/cli fills it in and has checked: names against the tables of machines/catalog.h, number ranges, references
// between options (drive=, chardev=, rng=), that ids are unique. A machine checks what only it can: files, bus slots,
// whether images fit into RAM, whether a CPU feature may be switched. `origin` is the option as typed, for its
// messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "devices/serial/char_spec.h"

namespace pagoda {

// No host has it; larger wishes are slips of a suffix.
inline constexpr u64 kMaxRamBytes = u64{1} << 40;
inline constexpr u64 kDefaultRamBytes = u64{128} << 20;

struct Property {
  std::string key;
  std::string value;
};

struct CpuFeatureSwitch {
  std::string name;  // as in the guest's extensions.def
  bool enabled;
};

struct CpuConfig {
  std::string model;                       // as in cpu_models.def
  std::vector<CpuFeatureSwitch> features;  // in order; a later switch of the same name wins
  std::string origin;                      // empty: the machine's default
};

// cpus == sockets * cores * threads, 1 up to the machine's limit.
struct SmpConfig {
  u32 cpus = 1;
  u32 sockets = 1;
  u32 cores = 1;
  u32 threads = 1;
};

struct DriveConfig {
  std::string id;
  std::string file;
  std::string format;  // "raw", "qcow2"; empty: by the file's content
  bool readonly = false;
  bool snapshot = false;    // writes are forgotten at the end
  bool write_cache = true;  // the guest is told of a cache that it has to flush
  bool direct = false;      // round the host's page cache
  bool no_flush = false;    // flushes do not reach the host's disk
  bool unmap = false;       // discarded ranges go back to the host
  std::string origin;
};

// A -device, or what "-drive if=virtio" implies. The driver and its keys are in devices.def, the values have their
// kind.
struct DeviceConfig {
  std::string driver;
  std::string id;                    // may be empty
  std::vector<Property> properties;  // without driver= and id=, in the order given, each key once
  std::string origin;

  // The value of a key, or null.
  const std::string* find(std::string_view key) const {
    for (const Property& property : properties) {
      if (property.key == key) return &property.value;
    }
    return nullptr;
  }
};

struct RngConfig {
  std::string id;
  std::string filename;  // empty: rng-builtin, the emulator's own source
  std::string origin;
};

// Instruction counting: one guest instruction is 2^shift ns of virtual time.
struct IcountConfig {
  u32 shift = 0;      // 0 to 10
  bool sleep = true;  // off: virtual time jumps over idle waits
  // After exactly so many instructions the program prints a hash of the guest's state and ends.
  std::optional<u64> stop_at;
};

struct AccelConfig {
  u32 max_tier = 0;
  std::optional<u32> force_tier;  // everything on exactly this tier
  bool fusion = true;             // tier 0: fused instruction sequences (off: the reference)
};

enum class FirmwareKind { builtin, none, file };

struct MachineConfig {
  std::string guest;    // as in guests.def
  std::string machine;  // as in machines.def
  CpuConfig cpu;
  SmpConfig smp;
  u64 ram_bytes = kDefaultRamBytes;  // a multiple of 4 KiB
  AccelConfig accel;
  std::optional<IcountConfig> icount;

  std::string kernel;  // empty: none
  std::string initrd;
  std::string append;
  std::string dtb;
  FirmwareKind firmware = FirmwareKind::builtin;
  std::string bios;  // the file, for FirmwareKind::file

  std::vector<DriveConfig> drives;
  std::vector<DeviceConfig> devices;
  std::vector<RngConfig> rngs;
  std::vector<CharSpec> chardevs;
  std::vector<std::string> serials;   // chardev id of each serial port in order; empty: the port leads nowhere
  std::vector<std::string> monitors;  // chardev ids

  bool nographic = false;
  bool nodefaults = false;
  bool no_reboot = false;  // a guest's reset ends the program
  std::string name;
  std::string log_items;  // -d
  std::string log_file;   // -D
};

}  // namespace pagoda
