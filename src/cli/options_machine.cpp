// SPDX-License-Identifier: MIT
// Handlers of the options that say what machine it is and how it executes: -M -cpu -smp -m -accel -icount.
#include <algorithm>
#include <array>
#include <bit>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/help.h"
#include "cli/text.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

// QEMU's machine properties with one value that is true of every machine here: scripts that say so are right.
struct FixedProperty {
  std::string_view key;
  std::string_view only_value;
};
constexpr std::array kFixedProperties = {
    FixedProperty{"aclint", "off"}, FixedProperty{"acpi", "off"},      FixedProperty{"graphics", "off"},
    FixedProperty{"usb", "off"},    FixedProperty{"iommu-sys", "off"},
};

// Letters that QEMU's CPUs have and that are not there yet: switching them off is right.
constexpr std::array<std::string_view, 2> kAbsentFeatures = {"h", "v"};

// The accelerators of QEMU that use hardware virtualization.
constexpr std::array<std::string_view, 6> kHardwareAccelerators = {"kvm", "hvf", "nvmm", "whpx", "xen", "hax"};

bool is_our_accelerator(std::string_view name) { return name == "tiered" || name == "tcg"; }

Result<> check_accelerator(std::string_view name) {
  if (is_our_accelerator(name)) return {};
  if (std::ranges::find(kHardwareAccelerators, name) != kHardwareAccelerators.end()) {
    return fail("'{}' is not available: guests are always translated (accelerator 'tiered')", name);
  }
  constexpr std::array<std::string_view, 2> kNames = {"tiered", "tcg"};
  return fail("unknown accelerator '{}'{}", name, suggestion(name, kNames));
}

template <class Table>
std::vector<std::string_view> names_for_guest(const Table& table, std::string_view guest) {
  std::vector<std::string_view> names;
  for (const auto& row : table) {
    if (row.guest == guest) names.push_back(row.name);
  }
  return names;
}

// The table's own spelling of a name, case not counting; empty when it is not there.
std::string_view find_name(const std::vector<std::string_view>& names, std::string_view wanted) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  for (const std::string_view name : names) {
    if (std::ranges::equal(name, wanted, {}, lower, lower)) return name;
  }
  return {};
}

std::unexpected<Error> unknown_key(const KeyValue& item, std::span<const std::string_view> known) {
  return fail("unknown key '{}'{}", item.key, suggestion(item.key, known));
}

}  // namespace

Result<> on_machine(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = machine_list(b.config.guest);
    return {};
  }
  TRY_ASSIGN(const auto items, parse_key_values(value, "type"));
  for (const KeyValue& item : items) {
    if (item.key == "type") {
      const auto names = names_for_guest(kMachines, b.config.guest);
      if (std::ranges::find(names, item.value) == names.end()) {
        return fail("unknown machine '{}'{}", item.value, suggestion(item.value, names));
      }
      b.config.machine = item.value;
    } else if (item.key == "signature") {
      if (item.value.empty()) return fail("signature: an empty file name");
      b.config.signature = item.value;
    } else if (item.key == "signature-granularity") {
      TRY_ASSIGN(const u64 bytes, parse_number(item.value, item.key, 1, 255));
      b.config.signature_granularity = static_cast<u32>(bytes);
    } else if (item.key == "accel") {
      // "kvm:tcg" means the first that works; here that is always the translator.
      bool found = false;
      std::string_view rest = item.value;
      while (!found) {
        const std::string_view name = rest.substr(0, rest.find(':'));
        found = is_our_accelerator(name);
        if (found) break;
        const bool last = name.size() == rest.size();
        const auto checked = check_accelerator(name);
        const bool hardware = std::ranges::find(kHardwareAccelerators, name) != kHardwareAccelerators.end();
        if (last || !hardware) return checked;
        rest.remove_prefix(name.size() + 1);
      }
    } else if (item.key == "dumpdtb") {
      if (item.value.empty()) return fail("dumpdtb: a file name is missing");
      b.config.dump_dtb = item.value;
    } else if (item.key == "pflash0" || item.key == "pflash1") {
      if (item.value.empty()) return fail("{}: the id of a drive is missing", item.key);
      TRY(use_as_flash(b, item.key == "pflash1" ? 1 : 0, item.value));
    } else if (item.key == "aia") {
      constexpr std::array<std::string_view, 3> kKinds = {"none", "aplic", "aplic-imsic"};
      const auto kind = std::ranges::find(kKinds, item.value);
      if (kind == kKinds.end()) return fail("aia={}: only 'none', 'aplic' or 'aplic-imsic'", item.value);
      b.config.aia = static_cast<Aia>(kind - kKinds.begin());
    } else {
      const auto fixed = std::ranges::find(kFixedProperties, item.key, &FixedProperty::key);
      if (fixed == kFixedProperties.end()) {
        constexpr std::array<std::string_view, 8> kKeys = {"type",    "accel",   "aia",       "dumpdtb",
                                                           "pflash0", "pflash1", "signature", "signature-granularity"};
        return unknown_key(item, kKeys);
      }
      if (item.value != fixed->only_value) return fail("{}: only '{}' is supported", item.key, fixed->only_value);
    }
  }
  return {};
}

Result<> on_cpu(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = cpu_list(b.config.guest);
    return {};
  }
  TRY_ASSIGN(const auto items, parse_key_values(value, "model"));
  CpuConfig cpu;
  cpu.origin = b.origin;
  const auto models = names_for_guest(kCpuModels, b.config.guest);
  const auto features = names_for_guest(kCpuFeatures, b.config.guest);
  for (const KeyValue& item : items) {
    if (&item == &items.front()) {
      if (item.key != "model") return fail("a CPU model comes first (-cpu help lists them)");
      if (std::ranges::find(models, item.value) == models.end()) {
        return fail("unknown CPU model '{}'{} (-cpu help lists them)", item.value, suggestion(item.value, models));
      }
      cpu.model = item.value;
      continue;
    }
    if (is_help(item.key) && !item.has_value) {
      b.text = cpu_list(b.config.guest);
      return {};
    }
    const std::string_view name = find_name(features, item.key);
    if (name.empty()) {
      const bool is_absent = std::ranges::find(kAbsentFeatures, item.key) != kAbsentFeatures.end();
      if (is_absent && item.has_value) {
        TRY_ASSIGN(const bool wanted, parse_switch(item));
        if (!wanted) continue;
      }
      return fail("unknown or unimplemented CPU feature '{}'{} (-cpu help lists them)", item.key,
                  suggestion(item.key, features));
    }
    TRY_ASSIGN(const bool enabled, parse_switch(item));
    cpu.features.push_back({std::string(name), enabled});
  }
  b.config.cpu = std::move(cpu);
  return {};
}

Result<> on_smp(Builder& b, std::string_view value) {
  constexpr u64 kMost = 1024;  // the machine's own limit is checked when the machine is known
  constexpr std::array<std::string_view, 7> kKeys = {"cpus",     "maxcpus", "sockets", "dies",
                                                     "clusters", "cores",   "threads"};
  TRY_ASSIGN(const auto items, parse_key_values(value, "cpus"));
  u64 cpus = 0, max_cpus = 0, sockets = 0, cores = 0, threads = 0;  // 0: not given
  for (const KeyValue& item : items) {
    if (std::ranges::find(kKeys, item.key) == kKeys.end()) return unknown_key(item, kKeys);
    TRY_ASSIGN(const u64 number, parse_number(item.value, item.key, 1, kMost));
    if (item.key == "cpus") cpus = number;
    if (item.key == "maxcpus") max_cpus = number;
    if (item.key == "sockets") sockets = number;
    if (item.key == "cores") cores = number;
    if (item.key == "threads") threads = number;
    if ((item.key == "dies" || item.key == "clusters") && number != 1) return fail("{} must be 1", item.key);
  }
  const u64 given = (sockets != 0 ? sockets : 1) * (cores != 0 ? cores : 1) * (threads != 0 ? threads : 1);
  if (cpus == 0) cpus = max_cpus != 0 ? max_cpus : given;
  if (max_cpus != 0 && max_cpus != cpus) return fail("maxcpus must equal cpus: vcpus cannot be added later");
  // What was left out follows from the rest; cores before sockets before threads, as newer QEMUs have it.
  u64* const open = cores == 0 ? &cores : sockets == 0 ? &sockets : threads == 0 ? &threads : nullptr;
  if (open != nullptr && cpus % given == 0) *open = cpus / given;
  for (u64* level : {&sockets, &cores, &threads}) *level = *level != 0 ? *level : 1;
  if (sockets * cores * threads != cpus) {
    return fail("sockets * cores * threads ({} * {} * {}) is not the number of cpus ({})", sockets, cores, threads,
                cpus);
  }
  b.config.smp = {static_cast<u32>(cpus), static_cast<u32>(sockets), static_cast<u32>(cores),
                  static_cast<u32>(threads)};
  b.smp_origin = b.origin;
  return {};
}

Result<> on_memory(Builder& b, std::string_view value) {
  constexpr u64 kMiB = u64{1} << 20, kPage = 4096;
  TRY_ASSIGN(const auto items, parse_key_values(value, "size"));
  for (const KeyValue& item : items) {
    if (item.key == "slots" || item.key == "maxmem") return fail("{}: memory cannot be added later", item.key);
    constexpr std::array<std::string_view, 1> kKeys = {"size"};
    if (item.key != "size" || !item.has_value) return unknown_key(item, kKeys);
    TRY_ASSIGN(const u64 bytes, parse_size(item.value, kMiB));
    if (bytes == 0) return fail("a guest needs RAM");
    if (bytes > kMaxRamBytes) return fail("too big: the most is {}G", kMaxRamBytes >> 30);
    b.config.ram_bytes = (bytes + kPage - 1) / kPage * kPage;
  }
  return {};
}

Result<> on_accel(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = accel_list();
    return {};
  }
  constexpr std::array<std::string_view, 23> kKeys = {
      "most-regions",     "opt-level",         "no-pass",         "opt-fuel",       "page-sharing",
      "spill-everything", "shuffle-registers", "check-registers", "compile-thread", "count-regions",

      "backend",          "max-tier",          "force-tier",      "plugins",        "policy",
      "tier1-threshold",  "tier2-threshold",   "code-cache",      "fusion",         "lockstep",
      "thread",           "clock-divisor",     "fail-every"};
  TRY_ASSIGN(const auto items, parse_key_values(value, "accel"));
  AccelConfig accel;
  b.single_thread_origin.clear();
  for (const KeyValue& item : items) {
    if (item.key == "accel") {
      TRY(check_accelerator(item.value));
    } else if (item.key == "help" && !item.has_value) {
      b.text = accel_list();
      return {};
    } else if (item.key == "backend") {
      if (item.value.empty()) return fail("backend: a name is missing");
      accel.backend = item.value;
    } else if (item.key == "plugins") {
      if (item.value.empty()) return fail("plugins: a folder is missing");
      accel.plugins = item.value;
    } else if (item.key == "max-tier") {
      TRY_ASSIGN(const u64 tier, parse_number(item.value, "max-tier", 0, kHighestTier));
      accel.max_tier = static_cast<u32>(tier);
    } else if (item.key == "force-tier") {
      TRY_ASSIGN(const u64 tier, parse_number(item.value, "force-tier", 0, kHighestTier));
      accel.force_tier = static_cast<u32>(tier);
    } else if (item.key == "tier1-threshold") {
      TRY_ASSIGN(const u64 entries, parse_number(item.value, "tier1-threshold", 0, 1'000'000));
      accel.tier1_threshold = static_cast<u32>(entries);
    } else if (item.key == "tier2-threshold") {
      TRY_ASSIGN(const u64 weight, parse_number(item.value, "tier2-threshold", 0, 1'000'000));
      accel.tier2_threshold = static_cast<u32>(weight);
    } else if (item.key == "policy") {
      const auto named = std::ranges::find(kPolicies, item.value, &PolicyInfo::name);
      if (named == kPolicies.end()) {
        std::array<std::string_view, kPolicies.size()> names;
        std::ranges::transform(kPolicies, names.begin(), &PolicyInfo::name);
        return fail("policy={}: there is no such policy{} (-accel help lists them)", item.value,
                    suggestion(item.value, names));
      }
      accel.policy = item.value;
    } else if (item.key == "code-cache") {
      TRY_ASSIGN(const u64 bytes, parse_size(item.value, 1));
      if (bytes < (u64{1} << 20) || bytes > (u64{1} << 30) || (bytes & (bytes - 1)) != 0) {
        return fail("code-cache={}: a power of two from 1M to 1G", item.value);
      }
      accel.code_cache_bytes = bytes;
    } else if (item.key == "tb-size") {
      // QEMU's spelling of code-cache, in MiB of any number; 0 is the default.
      TRY_ASSIGN(const u64 mib, parse_number(item.value, "tb-size", 0, 1024));
      if (mib != 0) accel.code_cache_bytes = std::bit_floor(mib) << 20;
    } else if (item.key == "clock-divisor") {
      TRY_ASSIGN(const u64 divisor, parse_number(item.value, "clock-divisor", 1, 1000));
      accel.clock_divisor = static_cast<u32>(divisor);
    } else if (item.key == "fail-every") {
      TRY_ASSIGN(const u64 every, parse_number(item.value, "fail-every", 2, 1'000'000));
      accel.fail_every = static_cast<u32>(every);
    } else if (item.key == "opt-level") {
      TRY_ASSIGN(const u64 level, parse_number(item.value, "opt-level", 0, 3));
      accel.regions.level = static_cast<u32>(level);
    } else if (item.key == "no-pass") {
      accel.disabled_passes.emplace_back(item.value);
    } else if (item.key == "opt-fuel") {
      TRY_ASSIGN(const u64 fuel, parse_number(item.value, "opt-fuel", 0, u64{1} << 40));
      accel.regions.fuel = static_cast<i64>(fuel);
    } else if (item.key == "most-regions") {
      TRY_ASSIGN(accel.regions.most_regions, parse_number(item.value, "most-regions", 0, 1'000'000));
    } else if (item.key == "page-sharing") {
      TRY_ASSIGN(accel.regions.pages, parse_switch(item));
    } else if (item.key == "spill-everything") {
      TRY_ASSIGN(accel.regions.spill_everything, parse_switch(item));
    } else if (item.key == "shuffle-registers") {
      TRY_ASSIGN(const u64 seed, parse_number(item.value, "shuffle-registers", 0, 1'000'000));
      accel.regions.shuffle_seed = static_cast<u32>(seed);
    } else if (item.key == "check-registers") {
      TRY_ASSIGN(accel.regions.check, parse_switch(item));
    } else if (item.key == "count-regions") {
      TRY_ASSIGN(accel.regions.count, parse_switch(item));
    } else if (item.key == "compile-thread") {
      TRY_ASSIGN(accel.regions_in_background, parse_switch(item));
    } else if (item.key == "fusion") {
      TRY_ASSIGN(accel.fusion, parse_switch(item));
    } else if (item.key == "lockstep") {
      TRY_ASSIGN(accel.lockstep, parse_switch(item));
    } else if (item.key == "thread") {
      if (item.value != "multi" && item.value != "single") return fail("thread={}: 'multi' or 'single'", item.value);
      if (item.value == "single") b.single_thread_origin = b.origin;
    } else {
      return unknown_key(item, kKeys);
    }
  }
  if (accel.force_tier && *accel.force_tier > accel.max_tier) return fail("force-tier is above max-tier");
  b.config.accel = accel;
  return {};
}

Result<> on_icount(Builder& b, std::string_view value) {
  constexpr std::array<std::string_view, 3> kKeys = {"shift", "sleep", "stop-at"};
  TRY_ASSIGN(const auto items, parse_key_values(value, "shift"));
  IcountConfig icount;
  bool has_shift = false;
  for (const KeyValue& item : items) {
    if (item.key == "shift") {
      if (item.value == "auto") return fail("shift=auto is not supported: virtual time follows the count exactly");
      TRY_ASSIGN(const u64 shift, parse_number(item.value, "shift", 0, 10));
      icount.shift = static_cast<u32>(shift);
      has_shift = true;
    } else if (item.key == "stop-at") {
      constexpr u64 kMost = u64{1} << 62;
      TRY_ASSIGN(icount.stop_at, parse_number(item.value, "stop-at", 1, kMost));
    } else if (item.key == "sleep") {
      TRY_ASSIGN(icount.sleep, parse_switch(item));
    } else if (item.key == "align" && item.value == "off") {
      continue;
    } else if (item.key == "align" || item.key == "rr" || item.key == "rrfile" || item.key == "rrsnapshot") {
      return fail("{} is not supported", item.key);
    } else {
      return unknown_key(item, kKeys);
    }
  }
  if (!has_shift) return fail("shift is missing");
  b.config.icount = icount;
  b.icount_origin = b.origin;
  return {};
}

Result<> finish_machine(Builder& b) {
  MachineConfig& config = b.config;
  if (config.machine.empty()) {
    for (const MachineInfo& machine : kMachines) {
      if (machine.guest == config.guest && machine.is_default) config.machine = machine.name;
    }
  }
  if (config.cpu.model.empty()) {
    for (const CpuModelInfo& model : kCpuModels) {
      if (model.guest == config.guest && model.is_default) config.cpu.model = model.name;
    }
  }
  for (const MachineInfo& machine : kMachines) {
    if (machine.guest != config.guest || machine.name != config.machine) continue;
    if (config.smp.cpus > machine.max_cpus) {
      return fail("{}: machine '{}' has at most {} vcpus", b.smp_origin, machine.name, machine.max_cpus);
    }
  }
  if (config.icount && config.smp.cpus != 1) {
    return fail("{}: only one vcpu is supported with it (-smp 1)", b.icount_origin);
  }
  if (!b.single_thread_origin.empty() && !config.icount) {
    return fail("{}: thread=single is only supported with -icount", b.single_thread_origin);
  }
  if (config.kernel.empty()) {
    if (!config.initrd.empty()) return fail("{}: it needs -kernel", b.initrd_origin);
    if (!config.append.empty()) return fail("{}: it needs -kernel", b.append_origin);
  }
  return {};
}

}  // namespace pagoda::cli
