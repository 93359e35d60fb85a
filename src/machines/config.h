// SPDX-License-Identifier: MIT
// MachineConfig: everything the command line said, parsed and typed, and nothing that needs a machine to know.
//
// src/cli fills it in and has checked: names against the tables of machines/catalog.h, number ranges, references
// between options (drive=, chardev=, rng=, netdev=), that ids are unique. A machine checks what only it can: files, bus
// slots, whether images fit into RAM, whether a CPU feature may be switched. `origin` is the option as typed, for its
// messages.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "devices/net/user_net_spec.h"
#include "devices/serial/char_spec.h"
#include "tcg/tier/region_switches.h"

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
  bool locking = true;      // other programs are kept from the file
  std::string origin;
};

// "-global driver.key=value": a key of every device of a driver that does not say otherwise itself.
struct GlobalProperty {
  std::string driver;
  std::string key;
  std::string value;
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

// A folder of the host for a virtio-9p-device.
struct FsdevConfig {
  std::string id;
  std::string path;
  std::string security_model;  // none, passthrough, mapped-xattr
  bool readonly = false;
  std::string origin;
};

struct RngConfig {
  std::string id;
  std::string filename;  // empty: rng-builtin, the emulator's own source
  std::string origin;
};

// -fw_cfg: a named item for firmware and kernel, from a file or as text.
struct FwCfgItemConfig {
  std::string name;
  std::string file;  // empty: `text`
  std::string text;
  std::string origin;
};

// -boot, as far as firmware that reads fw_cfg can know it.
struct BootConfig {
  bool menu = false;
  bool strict = false;                   // nothing but the devices with a bootindex
  std::optional<u32> splash_time_ms;     // how long the menu waits, up to 0xffff
  std::optional<i32> reboot_timeout_ms;  // how long firmware waits after a failed boot; -1: for ever
};

// Instruction counting: one guest instruction is 2^shift ns of virtual time.
struct IcountConfig {
  u32 shift = 0;      // 0 to 10
  bool sleep = true;  // off: virtual time jumps over idle waits
  // After exactly so many instructions the program prints a hash of the guest's state and ends.
  std::optional<u64> stop_at;
};

inline constexpr u32 kHighestTier = 2;  // tiers that are built in: 0 up to this one

struct AccelConfig {
  u32 max_tier = kHighestTier;
  std::string plugins;                 // folder of backends to load; empty: PAGODA_PLUGINS or where they are installed
  std::string backend;                 // whose code runs above tier 0, by name; empty: the best one
  std::optional<u32> force_tier;       // everything on exactly this tier
  std::string policy;                  // when blocks are promoted, by name; empty: the default
  u32 tier1_threshold = 8;             // weighted entries of a block before tier 1 compiles it
  std::optional<u32> tier2_threshold;  // the same for tier 2
  u64 code_cache_bytes = u64{128} << 20;  // compiled code at most; a power of two
  u32 clock_divisor = 1;                  // real time passes so many times slower for the guest than for the host
  tier::RegionSwitches regions;
  std::vector<std::string> disabled_passes;  // by name
  bool regions_in_background = true;
  u32 fail_every = 0;     // every n-th step of the translator fails, for tests; 0: none
  bool lockstep = false;  // compare each block with the reference
  bool fusion = true;     // tier 0: fused instruction sequences (off: the reference)
};

// The guest's real-time clock.
struct RtcConfig {
  bool is_local = false;     // the host's local time instead of UTC
  std::optional<i64> start;  // seconds since 1970 at the start instead of the host's
  bool is_virtual = false;   // goes by virtual time, standing still when the machine does
};

struct SemihostingConfig {
  bool enabled = false;
  bool allows_user = false;
  std::vector<std::string> arguments;  // none: kernel and its command line
  std::string chardev;                 // of its console; empty: standard error
};

// -M virt,aia=: a PLIC, or the Advanced Interrupt Architecture in its place, without or with messages.
enum class Aia { none, aplic, aplic_imsic };

enum class FirmwareKind { builtin, none, file };

struct MachineConfig {
  std::string guest;    // as in guests.def
  std::string machine;  // as in machines.def
  Aia aia = Aia::none;
  CpuConfig cpu;
  std::string signature;           // -M signature=: file for the memory between begin_signature and end_signature
  u32 signature_granularity = 16;  // bytes of a line of that file
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

  std::array<std::string, 2> pflash;  // drive ids of the flash banks; empty: a blank bank that is forgotten
  std::vector<FwCfgItemConfig> fw_cfg;
  BootConfig boot;

  std::vector<DriveConfig> drives;
  std::vector<DeviceConfig> devices;
  std::vector<RngConfig> rngs;
  std::vector<UserNetSpec> netdevs;
  std::vector<FsdevConfig> fsdevs;
  std::vector<CharSpec> chardevs;
  std::vector<std::string> serials;   // chardev id of each serial port in order; empty: the port leads nowhere
  std::vector<std::string> monitors;  // chardev ids
  std::string gdb;                    // chardev id of the debugger's connection; empty: none
  bool start_stopped = false;         // the vcpus wait for the monitor's "cont" or the debugger

  RtcConfig rtc;
  SemihostingConfig semihosting;
  std::vector<GlobalProperty> globals;
  std::string dump_dtb;  // write the device tree there and end
  std::string pidfile;
  bool perf_map = false;   // /tmp/perf-PID.map
  std::string stats_json;  // write what translation and execution did there at the end
  bool daemonize = false;
  bool pause_on_shutdown = false;  // a guest's power-off stops the machine, which stays to be looked at

  bool nographic = false;
  bool nodefaults = false;
  bool no_reboot = false;  // a guest's reset ends the program
  std::string name;
  std::array<u8, 16> uuid{};
  std::string log_items;  // -d
  std::string log_file;   // -D
};

}  // namespace pagoda
