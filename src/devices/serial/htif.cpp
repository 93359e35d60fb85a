// SPDX-License-Identifier: MIT
// HTIF: a page of plain bytes with two live doublewords.
#include "devices/serial/htif.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

constexpr u64 kPayloadMask = (u64{1} << 48) - 1;
constexpr u64 kDeviceSystem = 0;
constexpr u64 kDeviceConsole = 1;
constexpr u64 kConsoleRead = 0;
constexpr u64 kConsoleWrite = 1;
constexpr u64 kCharacterValid = 0x100;
constexpr u32 kMaxReadsWanted = 1024;  // a guest that asks and never looks must not count on

constexpr u8 kLowHalf = 1;
constexpr u8 kHighHalf = 2;

}  // namespace

HtifWindow::HtifWindow(std::string name, Layout layout, PowerSink power, CharBackend* console)
    : name_(std::move(name)), layout_(std::move(layout)), power_(std::move(power)), console_(console) {
  CHECK(layout_.tohost % 8 == 0 && layout_.tohost < kWindowSize, "tohost at {:#x}", layout_.tohost);
  CHECK(!layout_.fromhost || (*layout_.fromhost % 8 == 0 && *layout_.fromhost < kWindowSize), "fromhost at {:#x}",
        *layout_.fromhost);
  CHECK(layout_.content.size() <= kWindowSize);
  layout_.content.resize(kWindowSize);
  page_ = layout_.content;
  if (console_ != nullptr) console_->set_receiver([this](std::span<const u8> bytes) { return receive(bytes); });
}

HtifWindow::~HtifWindow() {
  if (console_ != nullptr) console_->set_receiver({});
}

u64 HtifWindow::load(u64 offset, u32 size) const {
  u64 value = 0;
  if (offset < kWindowSize && size <= kWindowSize - offset) std::memcpy(&value, &page_[offset], std::min(size, 8u));
  return value;
}

void HtifWindow::store(u64 offset, u64 value, u32 size) {
  if (offset < kWindowSize && size <= kWindowSize - offset) std::memcpy(&page_[offset], &value, std::min(size, 8u));
}

u64 HtifWindow::read(u64 offset, const Access& access) { return peek(offset, access.size); }

u64 HtifWindow::peek(u64 offset, u32 size) const {
  const std::lock_guard lock(mutex_);
  return load(offset, size);
}

void HtifWindow::write(u64 offset, u64 value, const Access& access) {
  std::optional<u8> outgoing;
  bool input_wanted = false;
  {
    const std::lock_guard lock(mutex_);
    const bool wanted_before = wants_input();
    store(offset, value, access.size);
    if (tohost_complete(offset, access.size)) {
      const u64 tohost = load(layout_.tohost, 8);
      if (tohost != 0) {
        store(layout_.tohost, 0, 8);
        outgoing = command(tohost);
      }
    }
    input_wanted = wants_input() && !wanted_before;
  }
  if (console_ == nullptr) return;
  if (outgoing) console_->write({&*outgoing, 1});
  if (input_wanted) console_->input_ready();
}

// Whether a write finishes a command. The order of the halves is the guest compiler's choice.
bool HtifWindow::tohost_complete(u64 offset, u32 size) {
  u8 half = 0;
  if (offset == layout_.tohost && size == 8) half = kLowHalf | kHighHalf;
  if (offset == layout_.tohost && size == 4) half = kLowHalf;
  if (offset == layout_.tohost + 4 && size == 4) half = kHighHalf;
  if (half == 0) return false;
  const bool repeated = (halves_written_ & half) != 0;
  halves_written_ |= half;
  if (halves_written_ != (kLowHalf | kHighHalf) && !repeated) return false;
  halves_written_ = 0;
  return true;
}

// Returns the character to send, if the command is that.
std::optional<u8> HtifWindow::command(u64 value) {
  const u64 device = value >> 56;
  const u64 code = (value >> 48) & 0xff;
  const u64 payload = value & kPayloadMask;
  if (device == kDeviceSystem && code == 0 && (payload & 1) != 0) {
    power_({PowerRequest::Action::power_off, static_cast<u32>(payload >> 1)});
  } else if (device == kDeviceConsole && code == kConsoleWrite) {
    return static_cast<u8>(payload);
  } else if (device == kDeviceConsole && code == kConsoleRead) {
    reads_wanted_ = std::min(reads_wanted_ + 1, kMaxReadsWanted);
  } else {
    log(Log::unimplemented, "{}: device {} command {} payload {:#x}", name_, device, code, payload);
  }
  return std::nullopt;
}

bool HtifWindow::wants_input() const {
  return reads_wanted_ > 0 && layout_.fromhost && load(*layout_.fromhost, 8) == 0;
}

std::size_t HtifWindow::receive(std::span<const u8> bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes.empty() || !wants_input()) return 0;
  store(*layout_.fromhost, kDeviceConsole << 56 | kConsoleRead << 48 | kCharacterValid | bytes[0], 8);
  --reads_wanted_;
  return 1;
}

void HtifWindow::reset() {
  const std::lock_guard lock(mutex_);
  page_ = layout_.content;
  halves_written_ = 0;
  reads_wanted_ = 0;
}

void HtifWindow::visit_state(StateVisitor& visitor) {
  visitor.field("page", page_);
  visitor.field("halves_written", halves_written_);
  visitor.field("reads_wanted", reads_wanted_);
}

void HtifWindow::state_restored() {
  bool input_wanted = false;
  {
    const std::lock_guard lock(mutex_);
    page_.resize(kWindowSize);
    input_wanted = wants_input();
  }
  if (input_wanted && console_ != nullptr) console_->input_ready();
}

}  // namespace pagoda
