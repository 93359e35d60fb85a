// SPDX-License-Identifier: MIT
// VirtioRng: the virtio entropy device (virtio 1.2, 5.4).
//
// Threading: see VirtioDevice; buffers are filled on the thread that notifies, so that seeded entropy (-icount) is
// handed out in the guest's own order.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioRng final : public VirtioDevice {
 public:
  // Fills the span with random bytes; any thread.
  using Entropy = std::function<void(std::span<std::byte>)>;
  VirtioRng(GuestMemory& memory, std::string name, Entropy entropy);

 private:
  void process_queue(u16 index) override;
  Entropy entropy_;
};

}  // namespace pagoda
