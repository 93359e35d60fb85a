// SPDX-License-Identifier: MIT
// Register maps: dispatch, reset, state and listing from a device's table.
#include "devices/bus/register_map.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

u64 low_bits(u32 bytes) { return bytes >= 8 ? ~u64{0} : (u64{1} << (8 * bytes)) - 1; }

bool is_size(u32 bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8; }

// If `offset` lies in an element of the row: which one, and at which byte of it.
bool locate(const Register& row, u64 offset, u32* index, u32* byte) {
  if (offset < row.offset) return false;
  u64 rest = offset - row.offset;
  u64 group = 0;
  if (row.groups > 1) {
    group = rest / row.group_stride;
    rest %= row.group_stride;
  }
  const u64 element = rest / row.step();
  if (group >= row.groups || element >= row.count) return false;
  *index = static_cast<u32>(group * row.count + element);
  *byte = static_cast<u32>(rest % row.step());
  return *byte < row.width;
}

bool size_fits(const Register& row, u32 byte, u32 size) {
  return is_size(size) && size >= (row.min_size != 0 ? row.min_size : row.width) && byte + size <= row.width &&
         byte % size == 0;
}

}  // namespace

std::string Register::element_name(u32 index) const {
  if (groups > 1 && count > 1) return fmt::format("{}[{}][{}]", name, index / count, index % count);
  if (elements() > 1) return fmt::format("{}[{}]", name, index);
  return name;
}

RegisterDevice::RegisterDevice(std::string name, std::vector<Register> rows)
    : name_(std::move(name)), rows_(std::move(rows)) {
  u32 total = 0;
  for (const Register& row : rows_) {
    CHECK(row.name != nullptr && is_size(row.width) && row.count > 0 && row.groups > 0 && row.step() >= row.width,
          "{}: bad register row '{}'", name_, row.name != nullptr ? row.name : "?");
    CHECK(row.groups == 1 || row.group_stride >= row.count * row.step(), "{}: groups of '{}' overlap", name_, row.name);
    CHECK(row.kind != RegisterKind::stored || row.peek == nullptr, "{}: stored '{}' has a peek hook", name_, row.name);
    first_value_.push_back(total);
    if (row.kind == RegisterKind::stored) total += row.elements();
  }
  values_.resize(total);
  reset_registers();
}

bool RegisterDevice::find(u64 offset, bool for_write, Hit* hit) const {
  bool found = false;
  const u8 shown = bank();
  for (u32 i = 0; i < rows_.size(); ++i) {
    const Register& row = rows_[i];
    u32 index = 0;
    u32 byte = 0;
    if ((row.bank != Register::kAnyBank && row.bank != shown) || !locate(row, offset, &index, &byte)) continue;
    *hit = {i, index, byte};
    found = true;
    if (for_write ? row.writable() : row.readable()) break;
  }
  return found;
}

u64 RegisterDevice::value_of(u32 row_index, u32 index) const {
  const Register& row = rows_[row_index];
  if (row.kind == RegisterKind::stored) return values_[first_value_[row_index] + index];
  return row.peek != nullptr ? row.peek(*this, index) & low_bits(row.width) : 0;
}

u64 RegisterDevice::read(u64 offset, const Access& access) {
  const std::lock_guard lock(mutex_);
  return read_locked(offset, access);
}

u64 RegisterDevice::read_locked(u64 offset, const Access& access) {
  Hit hit;
  if (!find(offset, false, &hit)) {
    log(Log::guest_error, "{}: read of {} bytes at {:#x}: no register there", name_, access.size, offset);
    return 0;
  }
  const Register& row = rows_[hit.row];
  if (!size_fits(row, hit.byte, access.size)) {
    log(Log::guest_error, "{}: read of {} bytes at {:#x}: wrong size for {}", name_, access.size, offset,
        row.element_name(hit.index));
    return 0;
  }
  if (!row.readable()) {
    log(Log::guest_error, "{}: read of write-only {}", name_, row.element_name(hit.index));
    return 0;
  }
  const u64 value = row.read != nullptr ? row.read(*this, hit.index) : value_of(hit.row, hit.index);
  return ((value & row.read_mask) >> (8 * hit.byte)) & low_bits(access.size);
}

void RegisterDevice::write(u64 offset, u64 value, const Access& access) {
  const std::lock_guard lock(mutex_);
  write_locked(offset, value, access);
}

void RegisterDevice::write_locked(u64 offset, u64 value, const Access& access) {
  Hit hit;
  if (!find(offset, true, &hit)) {
    log(Log::guest_error, "{}: write of {} bytes at {:#x}: no register there", name_, access.size, offset);
    return;
  }
  const Register& row = rows_[hit.row];
  if (!size_fits(row, hit.byte, access.size)) {
    log(Log::guest_error, "{}: write of {} bytes at {:#x}: wrong size for {}", name_, access.size, offset,
        row.element_name(hit.index));
    return;
  }
  if (!row.writable()) {
    log(Log::guest_error, "{}: write to read-only {}", name_, row.element_name(hit.index));
    return;
  }
  const u64 mask = low_bits(access.size) << (8 * hit.byte);
  value = (value << (8 * hit.byte)) & mask;
  const u64 clear = value & row.clear_mask;
  // A part of a register leaves the rest as it is; a hook always sees the whole.
  if (mask != low_bits(row.width)) value |= value_of(hit.row, hit.index) & ~mask;
  if (row.kind == RegisterKind::stored) {
    u64& stored = values_[first_value_[hit.row] + hit.index];
    stored = ((stored & ~row.write_mask) | (value & row.write_mask)) & ~clear;
    if (row.write != nullptr) row.write(*this, hit.index, stored);
  } else if (row.write != nullptr) {
    row.write(*this, hit.index, (value & row.write_mask) | clear);
  }
}

u64 RegisterDevice::peek(u64 offset, u32 size) const {
  const std::lock_guard lock(mutex_);
  Hit hit;
  if (!find(offset, false, &hit)) return 0;
  const Register& row = rows_[hit.row];
  if (!size_fits(row, hit.byte, size)) return 0;
  return ((value_of(hit.row, hit.index) & row.read_mask) >> (8 * hit.byte)) & low_bits(size);
}

void RegisterDevice::reset_registers() {
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (rows_[i].kind != RegisterKind::stored) continue;
    for (u32 index = 0; index < rows_[i].elements(); ++index) values_[first_value_[i] + index] = rows_[i].reset;
  }
}

void RegisterDevice::visit_state(StateVisitor& visitor) {
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (rows_[i].kind != RegisterKind::stored) continue;
    for (u32 index = 0; index < rows_[i].elements(); ++index)
      visitor.scalar(rows_[i].element_name(index), &values_[first_value_[i] + index], rows_[i].width);
  }
}

std::vector<RegisterValue> RegisterDevice::list_registers() const {
  const std::lock_guard lock(mutex_);
  std::vector<RegisterValue> values;
  for (u32 i = 0; i < rows_.size(); ++i) {
    for (u32 index = 0; index < rows_[i].elements(); ++index)
      values.push_back({rows_[i].element_name(index), rows_[i].offset_of(index), rows_[i].width, value_of(i, index)});
  }
  return values;
}

}  // namespace pagoda
