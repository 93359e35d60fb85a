// SPDX-License-Identifier: MIT
// BootImages: what lies in a machine's RAM when its guest starts: firmware, kernel, initrd, device tree.
//
// A machine places everything while it is built, and loads it on each reset, as the guest has overwritten it by then.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "memory/guest_memory.h"

namespace pagoda {

class BootImages {
 public:
  BootImages(u64 ram_base, u64 ram_size) : ram_base_(ram_base), ram_size_(ram_size) {}

  u64 ram_base() const { return ram_base_; }
  u64 ram_end() const { return ram_base_ + ram_size_; }

  // Keeps bytes for as long as this object.
  std::span<const std::byte> keep(std::vector<std::byte> bytes);
  // Puts `bytes`, which are kept, at `address`; they and zeros up to `memory_size` are there after each load(). The
  // error, beginning with `what` ("-kernel FILE"), says if that is outside of RAM or over something else.
  Result<> add(std::string what, u64 address, std::span<const std::byte> bytes, u64 memory_size);

  // Whether the range lies in RAM and is free.
  Result<> check(std::string_view what, u64 address, u64 size) const;
  // End of the highest image; the start of RAM if there is none.
  u64 end() const;
  // The bytes of a range after load(); zeros where there is no image.
  std::vector<u8> content(u64 address, u64 size) const;

  // Writes everything. What is not RAM (a device's window laid over it) is left out.
  void load(GuestMemory& memory) const;

 private:
  struct Image {
    std::string what;
    u64 address;
    std::span<const std::byte> bytes;
    u64 size;
  };
  u64 ram_base_, ram_size_;
  std::deque<std::vector<std::byte>> kept_;
  std::vector<Image> images_;
};

}  // namespace pagoda
