// SPDX-License-Identifier: MIT
// The entropy device.
#include "devices/virtio/rng.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pagoda {
namespace {
constexpr u16 kQueueSize = 8;
// A buffer may be filled in part (5.4.6.1): no request, however long, keeps the notifying vcpu for long.
constexpr u64 kMaxBytes = 4096;
}  // namespace

VirtioRng::VirtioRng(GuestMemory& memory, std::string name, Entropy entropy)
    : VirtioDevice(memory, std::move(name), VirtioId::entropy, 0, {kQueueSize}, 0), entropy_(std::move(entropy)) {}

void VirtioRng::process_queue(u16 index) {
  bool any = false;
  for_each_chain(index, [&](VirtqChain& chain) {
    if (!chain.readable.empty() || chain.writable.empty()) {
      fail("entropy request without room for it, or with data");
      return;
    }
    std::array<std::byte, kMaxBytes> bytes;
    const std::span part = std::span(bytes).first(std::min(chain.writable_size, kMaxBytes));
    entropy_(part);
    ChainWriter writer(memory(), chain.writable);
    const bool written = writer.write(part);
    push(index, chain.head, written ? static_cast<u32>(part.size()) : 0);
    any = true;
  });
  if (any) signal(index);
}

}  // namespace pagoda
