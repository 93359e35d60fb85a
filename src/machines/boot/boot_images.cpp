// SPDX-License-Identifier: MIT
// Placement and loading of boot images.
#include "machines/boot/boot_images.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace pagoda {
namespace {

// Calls `piece(address, size)` for the parts of a range that lie in one RAM window each.
template <class Piece>
void for_ram_pieces(const GuestMemory& memory, u64 address, u64 size, Piece piece) {
  while (size != 0) {
    const GuestMemory::Range* range = memory.find(GuestPhys(address));
    CHECK(range != nullptr, "nothing at {:#x}", address);
    const u64 step = std::min(size, range->start + range->size - address);
    if (range->is_ram()) piece(address, step);
    address += step;
    size -= step;
  }
}

}  // namespace

std::span<const std::byte> BootImages::keep(std::vector<std::byte> bytes) {
  return kept_.emplace_back(std::move(bytes));
}

Result<> BootImages::check(std::string_view what, u64 address, u64 size) const {
  if (address < ram_base_ || address - ram_base_ > ram_size_ || size > ram_size_ - (address - ram_base_)) {
    return fail("{}: {} bytes at {:#x} do not fit into RAM at {:#x}-{:#x} (-m)", what, size, address, ram_base_,
                ram_end() - 1);
  }
  for (const Image& image : images_) {
    if (address < image.address + image.size && image.address < address + size) {
      return fail("{}: {} bytes at {:#x} would lie over {} at {:#x}-{:#x}", what, size, address, image.what,
                  image.address, image.address + image.size - 1);
    }
  }
  return {};
}

Result<> BootImages::add(std::string what, u64 address, std::span<const std::byte> bytes, u64 memory_size) {
  CHECK(memory_size >= bytes.size());
  TRY(check(what, address, memory_size));
  images_.push_back({std::move(what), address, bytes, memory_size});
  return {};
}

u64 BootImages::end() const {
  u64 end = ram_base_;
  for (const Image& image : images_) end = std::max(end, image.address + image.size);
  return end;
}

std::vector<u8> BootImages::content(u64 address, u64 size) const {
  std::vector<u8> result(size);
  for (const Image& image : images_) {
    const u64 from = std::max(address, image.address);
    const u64 to = std::min(address + size, image.address + image.bytes.size());
    if (from < to)
      std::memcpy(result.data() + (from - address), image.bytes.data() + (from - image.address), to - from);
  }
  return result;
}

void BootImages::load(GuestMemory& memory) const {
  for (const Image& image : images_) {
    for_ram_pieces(memory, image.address, image.bytes.size(), [&](u64 address, u64 size) {
      CHECK(memory.write(GuestPhys(address), image.bytes.subspan(address - image.address, size)));
    });
    const u64 filled = image.address + image.bytes.size();
    for_ram_pieces(memory, filled, image.size - image.bytes.size(),
                   [&](u64 address, u64 size) { CHECK(memory.fill(GuestPhys(address), size, 0)); });
  }
}

}  // namespace pagoda
