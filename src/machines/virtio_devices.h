// SPDX-License-Identifier: MIT
// The virtio devices of a configuration, made and distributed over a machine's slots and its PCI bus.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "devices/pci/pci_host.h"
#include "devices/virtio/virtio_device.h"
#include "machines/machine.h"

namespace pagoda {

// One entry per slot, null where it stays empty. As in QEMU, devices take slots from the last one down in the order of
// the command line, unless bus=virtio-mmio-bus.N says otherwise.
Result<std::vector<std::unique_ptr<VirtioDevice>>> make_virtio_devices(Machine& machine, u32 slots);

// What a device of the command line is called: its id, or, without one, its driver and place in the list.
std::string virtio_device_name(const DeviceConfig& device, std::size_t index);
bool is_network_card(const DeviceConfig& device);
// Of a network card; `index`: how many cards came before, each has an address of its own.
std::array<u8, 6> mac_address(const DeviceConfig& card, u32 index);
// Where those on PCI go: a slot of pcie.0 for each device of the command line, from the first free one up unless
// addr=SLOT says otherwise; 0, which is the host bridge's, for those that are not on PCI.
Result<std::vector<u32>> place_pci_devices(const MachineConfig& config);
// Makes them; `slots` from place_pci_devices().
Result<> make_pci_devices(Machine& machine, PciHost& host, std::span<const u32> slots);

}  // namespace pagoda
