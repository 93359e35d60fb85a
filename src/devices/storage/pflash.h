// SPDX-License-Identifier: MIT
// Pflash: a bank of parallel NOR flash with the Intel command set, as QEMU's pflash_cfi01 on the `virt` machines: two
// 16-bit chips side by side on a 32-bit bus, erase sectors of 256 KiB, write buffers of 4 KiB (JEDEC JESD68.01 "Common
// Flash Interface" and JEP137 command set 1; the commands are those of Intel's StrataFlash data sheets).
//
// The content is a flash window of GuestMemory: in array mode reads and code need no device, and every write comes
// here. Any other mode makes the window a device until the chip is back in array mode. What is programmed or erased is
// in the file, where there is one, when the guest's write returns; the file holds exactly the bank. The window is
// memory of the machine: device state is only the command in progress. Threading: one mutex. `mapping_changed` is
// called outside it, on the thread that wrote.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "devices/bus/device.h"
#include "devices/storage/disk_image.h"
#include "memory/guest_memory.h"
#include "memory/mmio.h"

namespace pagoda {

class Pflash final : public Device, public MmioHandler {
 public:
  static constexpr u32 kSectorSize = 256 << 10;  // of the bank
  static constexpr u32 kBufferSize = 4 << 10;

  struct Window {
    u64 base;
    u64 size;  // a power of two, a multiple of the sector size
  };
  // `file` may be null: the content starts as zeros and is forgotten. A read-only file makes a protected bank.
  // `mapping_changed`: every vcpu is to forget its translations of the window before this returns.
  Pflash(std::string name, GuestMemory& memory, Window window, std::unique_ptr<DiskImage> file,
         std::function<void()> mapping_changed);
  // Makes the window and fills it from the file. Errors: another size than the bank's, the file cannot be read.
  Result<> map();

  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  u64 peek(u64 offset, u32 size) const override;

  const std::string& name() const override { return name_; }
  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 private:
  enum class Mode : u8 { array, status, id, query };  // what reads return
  enum class Step : u8 { command, program, erase, lock, buffer_count, buffer_data, buffer_confirm };  // what comes next
  static constexpr u8 kReady = 0x80, kEraseError = 0x20, kProgramError = 0x10;

  void back_to_array();
  void write_locked(u64 offset, u32 value, u32 size);
  void command(u8 value);
  void program(u64 offset, std::span<const std::byte> bytes);
  void erase(u64 offset);
  void buffer(u64 offset, u32 value, u32 size);
  bool store(u64 offset, u64 size);
  u32 answer(u64 offset) const;

  const std::string name_;
  GuestMemory& memory_;
  const Window window_;
  const std::unique_ptr<DiskImage> file_;
  const bool writable_;
  const std::function<void()> mapping_changed_;
  mutable std::mutex mutex_;

  Mode mode_ = Mode::array;
  Step step_ = Step::command;
  u8 status_ = kReady;
  u32 words_left_ = 0;            // of a buffered write
  u64 buffer_start_ = 0;          // offset in the window
  std::vector<u8> buffer_;        // what is to be programmed,
  std::vector<u8> buffer_valid_;  // and which bytes of it were written
};

}  // namespace pagoda
