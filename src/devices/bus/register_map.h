// SPDX-License-Identifier: MIT
// Register maps: a device's registers as one table, and the device base that reads it.
//
// A device lists its registers in a .def file, one row a register (or array of registers), with the fields of
// `Register`:
//   REG(threshold, .offset = 0x200000, .count = 2, .stride = 0x1000, .write_mask = 7, .write =
//   write_hook<&Plic::update>)
// From the rows come the enumeration `Reg` of the device, MMIO dispatch, guest_error lines (unknown offset, wrong size,
// read-only, write-only), reset, saved state, the device panel's listing and the contract tests.
//
// Values are little-endian register values, zero-extended to u64. Offsets and strides are bytes.
// Threading: one mutex per device. read/write/peek/list_registers take it and hooks run under it; every other way into
// the device (interrupt inputs, timers, back ends) takes it itself. reset and visit_state: see Device.
#pragma once

#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "base/types.h"
#include "devices/bus/device.h"
#include "memory/mmio.h"

namespace pagoda {

class RegisterDevice;

enum class RegisterKind : u8 {
  stored,    // the map keeps the value: it resets and saves it
  computed,  // the value is made by the peek hook (without one it reads as zero); `reset` documents what that gives
  live,      // as computed, but the value follows time or the outside world: `reset` says nothing
};

// One row. Designated initializers only; what is left out has the default.
struct Register {
  static constexpr u8 kAnyBank = 0xff;

  const char* name = nullptr;
  u64 offset = 0;      // of the first element
  u8 width = 4;        // bytes: 1, 2, 4 or 8
  u8 min_size = 0;     // smallest access in bytes; 0: only whole registers
  u8 bank = kAnyBank;  // present only while the device's bank() is this
  RegisterKind kind = RegisterKind::stored;
  u32 count = 1;         // elements in a group
  u32 stride = 0;        // between elements; 0: width
  u32 groups = 1;        // groups of elements (per context, per queue)
  u32 group_stride = 0;  // between groups
  u64 reset = 0;
  u64 read_mask = ~u64{0};  // bits that read back, the others read zero; 0: write-only
  u64 write_mask = 0;       // bits that take the written value
  u64 clear_mask = 0;       // bits that a written one clears (rw1c)
  // Hooks; `index` is group * count + element. A row with neither masks for writing nor a write hook is read-only.
  u64 (*peek)(const RegisterDevice&, u32 index) = nullptr;         // the value, without any side effect
  u64 (*read)(RegisterDevice&, u32 index) = nullptr;               // only if reading has a side effect
  void (*write)(RegisterDevice&, u32 index, u64 value) = nullptr;  // stored: after the new value is in place

  u32 elements() const { return count * groups; }
  u32 step() const { return stride != 0 ? stride : width; }
  bool readable() const { return read_mask != 0; }
  bool writable() const { return write_mask != 0 || clear_mask != 0 || write != nullptr; }
  // Offset of an element from the start of the device's window.
  u64 offset_of(u32 index) const { return offset + u64{index / count} * group_stride + u64{index % count} * step(); }
  // "name", "name[3]" or "name[group][element]".
  std::string element_name(u32 index) const;
};

// Adapters from member functions, with or without an index parameter, to the hook types.
template <class T>
struct ClassOfMember;
template <class Class, class Function>
struct ClassOfMember<Function Class::*> {
  using type = Class;
};

template <auto kMethod>
u64 peek_hook(const RegisterDevice& device, u32 index) {
  using Class = typename ClassOfMember<decltype(kMethod)>::type;
  if constexpr (std::is_invocable_v<decltype(kMethod), const Class&, u32>)
    return (static_cast<const Class&>(device).*kMethod)(index);
  else
    return (static_cast<const Class&>(device).*kMethod)();
}

template <auto kMethod>
u64 read_hook(RegisterDevice& device, u32 index) {
  using Class = typename ClassOfMember<decltype(kMethod)>::type;
  if constexpr (std::is_invocable_v<decltype(kMethod), Class&, u32>)
    return (static_cast<Class&>(device).*kMethod)(index);
  else
    return (static_cast<Class&>(device).*kMethod)();
}

// Methods take (u32 index, u64 value), (u32 index), (u64 value) or nothing; the types tell which.
template <auto kMethod>
void write_hook(RegisterDevice& device, u32 index, u64 value) {
  using Class = typename ClassOfMember<decltype(kMethod)>::type;
  using Method = std::remove_const_t<decltype(kMethod)>;
  Class& self = static_cast<Class&>(device);
  if constexpr (std::is_same_v<Method, void (Class::*)(u32, u64)>)
    (self.*kMethod)(index, value);
  else if constexpr (std::is_same_v<Method, void (Class::*)(u32)>)
    (self.*kMethod)(index);
  else if constexpr (std::is_same_v<Method, void (Class::*)(u64)>)
    (self.*kMethod)(value);
  else
    (self.*kMethod)();
}

// One line of the device panel.
struct RegisterValue {
  std::string name;
  u64 offset;
  u8 width;
  u64 value;
};

// A device whose window is a register map. Derived classes call reset_registers() from reset() and
// RegisterDevice::visit_state() first in theirs.
class RegisterDevice : public Device, public MmioHandler {
 public:
  const std::string& name() const override { return name_; }
  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  u64 peek(u64 offset, u32 size) const override;
  void visit_state(StateVisitor& visitor) override;

  const std::vector<Register>& rows() const { return rows_; }
  // Every element with the value the device holds (write-only ones too), in table order.
  std::vector<RegisterValue> list_registers() const;

 protected:
  // Rows may share an offset if their banks differ or if one is read-only and the other write-only.
  RegisterDevice(std::string name, std::vector<Register> rows);

  // Which of the rows with a bank the window shows now.
  virtual u8 bank() const { return 0; }

  // Dispatch for devices that must do something after the lock is released; the caller holds mutex_.
  u64 read_locked(u64 offset, const Access& access);
  void write_locked(u64 offset, u64 value, const Access& access);
  void reset_registers();

  // The stored value of an element; `id` is the device's Reg.
  template <class Id>
  u64& reg(Id id, u32 index = 0) {
    return values_[first_value_[static_cast<u32>(id)] + index];
  }
  template <class Id>
  u64 reg(Id id, u32 index = 0) const {
    return values_[first_value_[static_cast<u32>(id)] + index];
  }

  mutable std::mutex mutex_;

 private:
  struct Hit {
    u32 row;
    u32 index;
    u32 byte;  // of the access within the element
  };
  bool find(u64 offset, bool for_write, Hit* hit) const;
  u64 value_of(u32 row, u32 index) const;

  std::string name_;
  std::vector<Register> rows_;
  std::vector<u64> values_;
  std::vector<u32> first_value_;  // per row: where its elements start in values_
};

}  // namespace pagoda
