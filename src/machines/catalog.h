// SPDX-License-Identifier: MIT
// The tables of what a configuration may name: guests, machines, CPU models and features, hot-spot
// policies, devices.
#pragma once

#include <array>
#include <string_view>

#include "base/types.h"

namespace pagoda {

struct GuestInfo {
  std::string_view name;
  std::string_view help;
};
struct MachineInfo {
  std::string_view guest;
  std::string_view name;
  u32 max_cpus;
  bool is_default;
  std::string_view help;
};
struct CpuModelInfo {
  std::string_view guest;
  std::string_view name;
  bool is_default;
  std::string_view help;
};
struct CpuFeatureInfo {
  std::string_view guest;
  std::string_view name;
  bool is_default;  // part of the default model
  std::string_view help;
};
struct PolicyInfo {
  std::string_view name;
  std::string_view help;
};
struct DeviceInfo {
  std::string_view driver;
  std::string_view bus;
  std::string_view category;
  std::string_view help;
};
// on, off: nothing else is possible (on: "auto" too); nothing: the empty value.
enum class PropertyKind {
  string,
  number,
  boolean,
  on,
  off,
  nothing,
  mac,
  drive,
  chardev,
  rng,
  netdev,
  fsdev,
  iothread
};
struct DevicePropertyInfo {
  std::string_view driver;
  std::string_view key;
  PropertyKind kind;
  std::string_view help;
};

inline constexpr std::array kGuests = {
#define PAGODA_GUEST(name, help) GuestInfo{name, help},
#include "machines/guests.def"
#undef PAGODA_GUEST
};
inline constexpr std::array kMachines = {
#define PAGODA_MACHINE(guest, name, max_cpus, is_default, help) MachineInfo{guest, name, max_cpus, is_default, help},
#include "machines/machines.def"
#undef PAGODA_MACHINE
};
inline constexpr std::array kCpuModels = {
#define PAGODA_CPU_MODEL(guest, name, is_default, help) CpuModelInfo{guest, name, is_default, help},
#include "machines/cpu_models.def"
#undef PAGODA_CPU_MODEL
};
inline constexpr std::array kCpuFeatures = {
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) CpuFeatureInfo{"riscv64", name, in_rv64, meaning},
#define STATED(name, comes_with, meaning)
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
#undef STATED
};
inline constexpr std::array kPolicies = {
#define PAGODA_POLICY(name, entry, back_edge, window0, window1, half0, half1, crowd0, crowd1, summary) \
  PolicyInfo{#name, summary},
#include "tcg/tier/policies.def"
#undef PAGODA_POLICY
};
inline constexpr std::array kDevices = {
#define PAGODA_DEVICE(driver, bus, category, help) DeviceInfo{driver, bus, category, help},
#define PAGODA_DEVICE_PROPERTY(driver, key, kind, help)
#include "machines/devices.def"
#undef PAGODA_DEVICE
#undef PAGODA_DEVICE_PROPERTY
};
inline constexpr std::array kDeviceProperties = {
#define PAGODA_DEVICE(driver, bus, category, help)
#define PAGODA_DEVICE_PROPERTY(driver, key, kind, help) DevicePropertyInfo{driver, key, PropertyKind::kind, help},
#include "machines/devices.def"
#undef PAGODA_DEVICE
#undef PAGODA_DEVICE_PROPERTY
};

}  // namespace pagoda
