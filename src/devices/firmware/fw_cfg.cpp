// SPDX-License-Identifier: MIT
// fw_cfg: items, the directory of files, both ways of reading.
#include "devices/firmware/fw_cfg.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

constexpr u32 kFeatures = 3;  // the data register, and DMA

// Bits of a DMA request's control word; its upper half is a key to select.
constexpr u32 kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16;

struct DmaRequest {  // big-endian
  u32 control;
  u32 length;
  u64 address;
};

void put_big(FwCfg::Bytes& out, u64 value, u32 size) {
  while (size-- != 0) out.push_back(static_cast<std::byte>(value >> (8 * size)));
}

}  // namespace

void FwCfg::Content::add_number(u16 key, u64 value, u32 size) {
  Bytes& bytes = items[key];
  bytes.clear();
  for (u32 i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void FwCfg::Content::add_text(u16 key, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  items[key].assign(bytes.begin(), bytes.end());
  items[key].push_back(std::byte{0});
}

void FwCfg::Content::add_file(const std::string& name, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  files[name].assign(bytes.begin(), bytes.end());
}

std::vector<Register> FwCfg::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/firmware/fw_cfg.def"
#undef REG
  };
}

FwCfg::FwCfg(std::string name, GuestMemory& memory, Content content)
    : RegisterDevice(std::move(name), make_rows()), memory_(memory), items_(std::move(content.items)) {
  constexpr std::string_view kMagic = "QEMU";
  const auto magic = std::as_bytes(std::span(kMagic));
  items_[kSignature].assign(magic.begin(), magic.end());
  Content fixed;
  fixed.add_number(kId, kFeatures, 4);
  items_.merge(fixed.items);
  Bytes directory;
  put_big(directory, content.files.size(), 4);
  u16 key = kFirstFile;
  for (auto& [file, bytes] : content.files) {
    CHECK(file.size() <= kLongestName && key < 0x4000, "{}", file);
    put_big(directory, bytes.size(), 4);
    put_big(directory, key, 2);
    put_big(directory, 0, 2);
    const std::size_t name_at = directory.size();
    directory.resize(name_at + kLongestName + 1);
    std::memcpy(directory.data() + name_at, file.data(), file.size());
    file_keys_[file] = key;
    items_[key++] = std::move(bytes);
  }
  items_[kFileDirectory] = std::move(directory);
}

const FwCfg::Bytes* FwCfg::item(u16 key) const {
  const auto found = items_.find(key);
  return found != items_.end() ? &found->second : nullptr;
}

const FwCfg::Bytes* FwCfg::file(const std::string& name) const {
  const auto found = file_keys_.find(name);
  return found != file_keys_.end() ? item(found->second) : nullptr;
}

u64 FwCfg::read(u64 offset, const Access& access) {
  const std::lock_guard lock(mutex_);
  access_ = access;
  return read_locked(offset, access);
}

void FwCfg::write(u64 offset, u64 value, const Access& access) {
  const std::lock_guard lock(mutex_);
  access_ = access;
  access_offset_ = offset;
  access_value_ = value;
  write_locked(offset, value, access);
}

// The next 8 bytes of the item, the first one lowest; zeros behind its end.
u64 FwCfg::next_bytes() const {
  const Bytes* bytes = item(key_);
  u64 value = 0;
  if (bytes != nullptr && position_ < bytes->size()) {
    std::memcpy(&value, bytes->data() + position_, std::min<u64>(sizeof(value), bytes->size() - position_));
  }
  return value;
}

u64 FwCfg::take_bytes() {
  const u64 value = next_bytes();
  if (const Bytes* bytes = item(key_)) position_ = std::min<u64>(position_ + access_.size, bytes->size());
  return value;
}

void FwCfg::select(u64 value) {
  key_ = __builtin_bswap16(static_cast<u16>(value));
  position_ = 0;
  if (item(key_) == nullptr) log(Log::device, "{}: there is no item {:#x}", name(), key_);
}

u64 FwCfg::dma_signature() const {
  constexpr std::string_view kMagic = "QEMU CFG";
  u64 value = 0;
  std::memcpy(&value, kMagic.data(), sizeof(value));
  return value;
}

// The lower half of the address starts the transfer.
void FwCfg::dma_written() {
  if (access_.size == 8) {
    dma_address_ = __builtin_bswap64(access_value_);
  } else if (access_offset_ % 8 == 0) {
    dma_address_ = u64{__builtin_bswap32(static_cast<u32>(access_value_))} << 32;
    return;
  } else {
    dma_address_ |= __builtin_bswap32(static_cast<u32>(access_value_));
  }
  run_dma();
  dma_address_ = 0;
}

void FwCfg::run_dma() {
  std::array<std::byte, sizeof(DmaRequest)> raw;
  if (!memory_.read(GuestPhys(dma_address_), raw)) {
    log(Log::guest_error, "{}: DMA request at {:#x}, which is not RAM", name(), dma_address_);
    return;
  }
  DmaRequest request;
  std::memcpy(&request, raw.data(), sizeof(request));
  const u32 control = __builtin_bswap32(request.control);
  const u64 address = __builtin_bswap64(request.address), length = __builtin_bswap32(request.length);
  if ((control & kSelect) != 0) select(__builtin_bswap16(static_cast<u16>(control >> 16)));
  u32 result = 0;
  if ((control & kRead) != 0) {
    if (!transfer(address, length)) result = kError;
  } else if ((control & kWrite) != 0) {
    result = kError;  // nothing here is writable
  }
  if (result != 0) log(Log::guest_error, "{}: DMA of {} bytes at {:#x} fails", name(), length, address);
  if ((control & (kRead | kSkip)) != 0 && result == 0) {
    if (const Bytes* bytes = item(key_)) position_ = std::min<u64>(position_ + length, bytes->size());
  }
  result = __builtin_bswap32(result);
  std::array<std::byte, sizeof(result)> answer;
  std::memcpy(answer.data(), &result, sizeof(result));
  if (!memory_.write(GuestPhys(dma_address_), answer)) log(Log::guest_error, "{}: no place for a result", name());
}

// The item's bytes from the position on, then zeros.
bool FwCfg::transfer(u64 address, u64 size) {
  static constexpr std::array<std::byte, 64 << 10> kZeros{};
  const Bytes* bytes = item(key_);
  const u64 left = bytes != nullptr ? std::min<u64>(size, bytes->size() - std::min<u64>(position_, bytes->size())) : 0;
  if (size != 0 && !memory_.is_ram(GuestPhys(address), size)) return false;
  if (left != 0 && !memory_.write(GuestPhys(address), std::span(*bytes).subspan(position_, left))) return false;
  for (u64 done = left; done < size;) {
    const u64 step = std::min<u64>(size - done, kZeros.size());
    if (!memory_.write(GuestPhys(address + done), std::span(kZeros).first(step))) return false;
    done += step;
  }
  return true;
}

void FwCfg::reset() {
  reset_registers();
  key_ = kSignature;
  position_ = 0;
  dma_address_ = 0;
}

void FwCfg::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  visitor.field("key", key_);
  visitor.field("position", position_);
  visitor.field("dma_address", dma_address_);
}

}  // namespace pagoda
