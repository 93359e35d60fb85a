// SPDX-License-Identifier: MIT
// NOR flash: the command sequences, the query table, and the content's way into the file.
#include "devices/storage/pflash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

constexpr u32 kChips = 2, kChipBytes = 2;  // chips side by side, bytes of each on the bus
constexpr u32 kBankBytes = kChips * kChipBytes;
constexpr u8 kManufacturer = 0x89, kDevice = 0x18;

// Bytes of the query structure from address 0x10 on (JESD68.01, table 1 to 5), for one of the two chips.
constexpr u32 kQueryStart = 0x10;
constexpr auto kQuery = std::to_array<u8>({
    'Q',  'R',  'Y',              // 10
    0x01, 0x00,                   // 13: Intel's command set
    0x31, 0x00,                   // 15: its own table
    0x00, 0x00, 0x00, 0x00,       // 17: no other command set
    0x45, 0x55, 0x00, 0x00,       // 1b: supply 4.5 V to 5.5 V, no programming voltage
    0x07, 0x07, 0x0a, 0x00,       // 1f: typical times, 2^n: word and buffer us, sector ms
    0x04, 0x04, 0x04, 0x00,       // 23: longest times, 2^n of the typical ones
    0x00,                         // 27: size, 2^n: filled in
    0x02, 0x00,                   // 28: 16 bits wide
    0x0b, 0x00,                   // 2a: write buffer, 2^n
    0x01,                         // 2c: one region of equal sectors
    0x00, 0x00, 0x00, 0x00,       // 2d: sectors - 1, sector size / 256: filled in
    'P',  'R',  'I',  '1',  '0',  // 31: the command set's table, version 1.0
    0x00, 0x00, 0x00, 0x00,       // 36: no optional features
});

// A value of one chip, on both.
u32 both(u16 value) { return u32{value} << 16 | value; }

}  // namespace

Pflash::Pflash(std::string name, GuestMemory& memory, Window window, std::unique_ptr<DiskImage> file,
               std::function<void()> mapping_changed)
    : name_(std::move(name)),
      memory_(memory),
      window_(window),
      file_(std::move(file)),
      writable_(file_ == nullptr || !file_->read_only()),
      mapping_changed_(std::move(mapping_changed)),
      buffer_(kBufferSize),
      buffer_valid_(kBufferSize) {
  CHECK(std::has_single_bit(window.size) && window.size % kSectorSize == 0, "{}", name_);
}

Result<> Pflash::map() {
  if (file_ != nullptr && file_->size() != window_.size) {
    return fail("disk image {}: a flash bank has {} bytes, the file {}", file_->path(), window_.size, file_->size());
  }
  TRY(memory_.add_flash(GuestPhys(window_.base), window_.size, this, name_));
  if (file_ == nullptr) return {};
  std::vector<std::byte> piece(kSectorSize);
  for (u64 offset = 0; offset < window_.size; offset += piece.size()) {
    if (const int error = file_->read(offset, piece)) {
      return fail("disk image {}: {}", file_->path(), std::strerror(error));
    }
    memory_.program_flash(GuestPhys(window_.base + offset), piece);
  }
  return {};
}

// What all modes but the array show at a place, as 32 bits of the bus.
u32 Pflash::answer(u64 offset) const {
  const u64 place = offset / kBankBytes;  // a chip's address
  switch (mode_) {
    case Mode::status:
      return both(status_);
    case Mode::id:
      return both((place & 0xff) == 0 ? kManufacturer : (place & 0xff) == 1 ? kDevice : 0);
    default:
      break;
  }
  const u64 chip_size = window_.size / kChips, chip_sector = kSectorSize / kChips, sectors = window_.size / kSectorSize;
  switch (place) {
    case 0x27:
      return both(static_cast<u16>(std::countr_zero(chip_size)));
    case 0x2d:
      return both((sectors - 1) & 0xff);
    case 0x2e:
      return both(((sectors - 1) >> 8) & 0xff);
    case 0x2f:
      return both((chip_sector >> 8) & 0xff);
    case 0x30:
      return both((chip_sector >> 16) & 0xff);
    default:
      return place >= kQueryStart && place - kQueryStart < kQuery.size() ? both(kQuery[place - kQueryStart]) : 0;
  }
}

u64 Pflash::peek(u64 offset, u32 size) const {
  if (!std::has_single_bit(size) || size > 8 || offset >= window_.size || offset % size != 0) return 0;
  const std::lock_guard lock(mutex_);
  std::array<std::byte, 8> bytes{};
  if (mode_ == Mode::array) {
    memory_.read_flash(GuestPhys(window_.base + offset), std::span(bytes).first(size));
  } else {
    for (u32 i = 0; i < size; ++i) {
      const u64 at = offset + i;
      bytes[i] = static_cast<std::byte>(answer(at) >> (8 * (at % kBankBytes)));
    }
  }
  u64 value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// No read has a side effect.
u64 Pflash::read(u64 offset, const Access& access) { return peek(offset, access.size); }

void Pflash::write(u64 offset, u64 value, const Access& access) {
  if (offset >= window_.size) return;
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    const bool was_array = mode_ == Mode::array;
    const u32 step = std::min<u32>(access.size, kBankBytes);
    for (u32 done = 0; done < access.size; done += step) {
      const u32 part = static_cast<u32>(value >> (8 * done));
      write_locked(offset + done, step == 4 ? part : part & ((1u << (8 * step)) - 1), step);
    }
    changed = was_array != (mode_ == Mode::array);
    if (changed) memory_.set_flash_readable(GuestPhys(window_.base), mode_ == Mode::array);
  }
  if (changed && mapping_changed_) mapping_changed_();
}

void Pflash::back_to_array() {
  mode_ = Mode::array;
  step_ = Step::command;
}

void Pflash::command(u8 value) {
  switch (value) {
    case 0x00:
    case 0xf0:
    case 0xff:
      return back_to_array();
    case 0x50:  // clear status
      status_ = kReady;
      return back_to_array();
    case 0x10:
    case 0x40:
      step_ = Step::program;
      break;
    case 0x20:
      step_ = Step::erase;
      break;
    case 0x60:
      step_ = Step::lock;
      break;
    case 0x70:
      break;
    case 0x90:
      mode_ = Mode::id;
      return;
    case 0x98:
      mode_ = Mode::query;
      return;
    case 0xe8:
      step_ = Step::buffer_count;
      break;
    default:
      log(Log::guest_error, "{}: unknown command {:#x}", name_, value);
      return back_to_array();
  }
  mode_ = Mode::status;
}

void Pflash::write_locked(u64 offset, u32 value, u32 size) {
  const u8 low = static_cast<u8>(value);
  switch (std::exchange(step_, Step::command)) {
    case Step::command:
      return command(low);
    case Step::program: {
      std::array<std::byte, 4> bytes;
      std::memcpy(bytes.data(), &value, sizeof(value));
      return program(offset, std::span(bytes).first(size));
    }
    case Step::erase:
      if (low == 0xd0) return erase(offset);
      break;
    case Step::lock:  // sectors are never locked
      if (low == 0xd0 || low == 0x01) return;
      break;
    case Step::buffer_count: {
      // Each chip gets a count of its own words; they are one.
      words_left_ = (value & 0xffff) + 1;
      buffer_start_ = ~u64{0};
      if (words_left_ * kBankBytes <= kBufferSize) {
        step_ = Step::buffer_data;
        return;
      }
      log(Log::guest_error, "{}: a buffered write of {} words", name_, words_left_);
      status_ |= kProgramError;
      return back_to_array();
    }
    case Step::buffer_data:
      return buffer(offset, value, size);
    case Step::buffer_confirm:
      if (low != 0xd0) break;
      for (u32 from = 0; from < kBufferSize;) {
        if (buffer_valid_[from] == 0) {
          ++from;
          continue;
        }
        u32 to = from;
        while (to < kBufferSize && buffer_valid_[to] != 0) ++to;
        program(buffer_start_ + from, std::as_bytes(std::span(buffer_)).subspan(from, to - from));
        from = to;
      }
      return;
  }
  // A sequence was broken off.
  if (low != 0xff) {
    log(Log::guest_error, "{}: unexpected {:#x} in a command sequence", name_, value);
    status_ |= kEraseError | kProgramError;
  }
  back_to_array();
}

// One word of a buffered write. All of them lie in the block of the first.
void Pflash::buffer(u64 offset, u32 value, u32 size) {
  const u64 block = offset & ~u64{kBufferSize - 1};
  if (buffer_start_ == ~u64{0}) {
    buffer_start_ = block;
    std::fill(buffer_valid_.begin(), buffer_valid_.end(), u8{0});
  }
  if (block == buffer_start_) {
    for (u32 i = 0; i < size; ++i) {
      buffer_[offset - block + i] = static_cast<u8>(value >> (8 * i));
      buffer_valid_[offset - block + i] = 1;
    }
  } else {
    log(Log::guest_error, "{}: a buffered write left its block", name_);
    status_ |= kProgramError;
  }
  step_ = --words_left_ == 0 ? Step::buffer_confirm : Step::buffer_data;
}

// Programming clears bits and sets none.
void Pflash::program(u64 offset, std::span<const std::byte> bytes) {
  if (!writable_) {
    status_ |= kProgramError;
    return;
  }
  std::vector<std::byte> content(bytes.size());
  memory_.read_flash(GuestPhys(window_.base + offset), content);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] &= bytes[i];
  memory_.program_flash(GuestPhys(window_.base + offset), content);
  if (!store(offset, content.size())) status_ |= kProgramError;
}

void Pflash::erase(u64 offset) {
  if (!writable_) {
    status_ |= kEraseError;
    return;
  }
  offset &= ~u64{kSectorSize - 1};
  const std::vector<std::byte> blank(kSectorSize, std::byte{0xff});
  memory_.program_flash(GuestPhys(window_.base + offset), blank);
  if (!store(offset, blank.size())) status_ |= kEraseError;
}

// Writes the disk sectors around a change.
bool Pflash::store(u64 offset, u64 size) {
  if (file_ == nullptr) return true;
  const u64 from = offset / DiskImage::kSectorSize * DiskImage::kSectorSize;
  const u64 to = (offset + size + DiskImage::kSectorSize - 1) / DiskImage::kSectorSize * DiskImage::kSectorSize;
  std::vector<std::byte> content(to - from);
  memory_.read_flash(GuestPhys(window_.base + from), content);
  const int error = file_->write(from, content);
  if (error != 0) log(Log::device, "{}: {}: {}", name_, file_->path(), std::strerror(error));
  return error == 0;
}

void Pflash::reset() {
  back_to_array();
  status_ = kReady;
  words_left_ = 0;
  buffer_start_ = 0;
  std::fill(buffer_.begin(), buffer_.end(), u8{0});
  std::fill(buffer_valid_.begin(), buffer_valid_.end(), u8{0});
  state_restored();
}

void Pflash::visit_state(StateVisitor& visitor) {
  visitor.field("mode", mode_);
  visitor.field("step", step_);
  visitor.field("status", status_);
  visitor.field("words_left", words_left_);
  visitor.field("buffer_start", buffer_start_);
  visitor.field("buffer", buffer_);
  visitor.field("buffer_valid", buffer_valid_);
}

// The vcpus, which are stopped, drop their TLBs when they are reset or restored themselves.
void Pflash::state_restored() {
  // A damaged file must not lead outside.
  if (mode_ > Mode::query) mode_ = Mode::array;
  if (step_ > Step::buffer_confirm) step_ = Step::command;
  buffer_.resize(kBufferSize);
  buffer_valid_.resize(kBufferSize);
  const bool in_buffer = step_ == Step::buffer_data || step_ == Step::buffer_confirm;
  const bool is_place = buffer_start_ % kBufferSize == 0 && buffer_start_ < window_.size;
  if (in_buffer && ((!is_place && buffer_start_ != ~u64{0}) || words_left_ > kBufferSize / kBankBytes ||
                    (words_left_ == 0) != (step_ == Step::buffer_confirm))) {
    back_to_array();
  }
  memory_.set_flash_readable(GuestPhys(window_.base), mode_ == Mode::array);
}

}  // namespace pagoda
