// SPDX-License-Identifier: MIT
// The RISC-V `virt` machine: wiring and device tree.
#include "machines/riscv_virt.h"

#include <array>

#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/sifive_test.h"
#include "devices/pci/pci_function.h"
#include "devices/pci/pci_host.h"
#include "devices/rtc/goldfish_rtc.h"
#include "devices/serial/uart16550.h"
#include "devices/storage/pflash.h"
#include "devices/virtio/virtio_mmio.h"
#include "machines/boards.h"
#include "machines/firmware_config.h"
#include "machines/riscv_interrupts.h"
#include "machines/virtio_devices.h"

namespace pagoda {
namespace {

using namespace riscv_virt;

// Values of the test finisher, for the tree's syscon nodes.
constexpr u32 kFinishPass = 0x5555, kFinishReset = 0x7777;

u64 virtio_base(u32 slot) { return kVirtio.base + slot * kVirtio.size; }

u64 flash_base(u32 bank) { return kFlash.base + bank * kFlash.size; }

// What QEMU's generic host bridge says it is.
constexpr PciIdentity kHostBridge{
    .vendor = 0x1b36, .device = 0x0008, .class_code = 0x060000, .subsystem_vendor = 0x1af4, .subsystem = 0x1100};

u64 high_pci_base(u64 ram_bytes) {
  return (kRamBase + ram_bytes + kPciHighMemory - 1) / kPciHighMemory * kPciHighMemory;
}

// The binding pci-host-ecam-generic, which is that of IEEE 1275's PCI buses.
void describe_pci(FdtBuilder& tree, const RiscvInterrupts& interrupts, u64 ram_bytes) {
  constexpr u32 kIoSpace = 0x0100'0000, kMemorySpace = 0x0200'0000, kMemory64Space = 0x0300'0000;
  const auto high = [](u64 value) { return static_cast<u32>(value >> 32); };
  const auto low = [](u64 value) { return static_cast<u32>(value); };
  const std::string pci = fmt::format("/soc/pci@{:x}", kPciEcam.base);
  // Slots repeat every four; a unit address has the slot from bit 11 on, pins count from 1.
  std::vector<u32> wires;
  for (u32 slot = 0; slot < PciHost::kPins; ++slot) {
    for (u32 pin = 0; pin < PciHost::kPins; ++pin) {
      wires.insert(wires.end(), {slot << 11, 0, 0, pin + 1, interrupts.phandle()});
      const std::vector<u32> specifier = interrupts.specifier(kPciIrq + (slot + pin) % PciHost::kPins);
      wires.insert(wires.end(), specifier.begin(), specifier.end());
    }
  }
  tree.set_cells(pci, "interrupt-map-mask", {(PciHost::kPins - 1) << 11, 0, 0, 7});
  tree.set_cells(pci, "interrupt-map", wires);
  const u64 high_base = high_pci_base(ram_bytes);
  tree.set_cells(pci, "ranges",
                 {kIoSpace,
                  0,
                  0,
                  high(kPciIo.base),
                  low(kPciIo.base),
                  0,
                  low(kPciIo.size),  //
                  kMemorySpace,
                  0,
                  low(kPciMemory.base),
                  0,
                  low(kPciMemory.base),
                  0,
                  low(kPciMemory.size),  //
                  kMemory64Space,
                  high(high_base),
                  low(high_base),
                  high(high_base),
                  low(high_base),
                  high(kPciHighMemory),
                  low(kPciHighMemory)});
  tree.set_reg(pci, kPciEcam.base, kPciEcam.size);
  if (interrupts.takes_messages()) tree.set_cells(pci, "msi-parent", {interrupts.message_phandle()});
  tree.set_flag(pci, "dma-coherent");
  tree.set_cells(pci, "bus-range", {0, 255});
  tree.set_cells(pci, "linux,pci-domain", {0});
  tree.set_string(pci, "device_type", "pci");
  tree.set_string(pci, "compatible", "pci-host-ecam-generic");
  tree.set_cells(pci, "#size-cells", {2});
  tree.set_cells(pci, "#interrupt-cells", {1});
  tree.set_cells(pci, "#address-cells", {3});
}

Result<> add_pci(Machine& machine, const std::shared_ptr<RiscvInterrupts>& interrupts, std::span<const u32> slots) {
  std::array<IrqLine, PciHost::kPins> wires;
  for (u32 i = 0; i < wires.size(); ++i) wires[i] = interrupts->input(kPciIrq + i);
  PciHost::MessageSink messages;
  if (interrupts->takes_messages())
    messages = [interrupts](u64 address, u32 data) { interrupts->receive_message(address, data); };
  PciHost& host = machine.add_device(std::make_unique<PciHost>("pci", wires, std::move(messages)));
  GuestMemory& memory = machine.memory();
  memory.map_mmio(GuestPhys(kPciEcam.base), kPciEcam.size, &host, "pci configuration");
  memory.map_mmio(GuestPhys(kPciIo.base), kPciIo.size, &host.io_window(), "pci I/O");
  memory.map_mmio(GuestPhys(kPciMemory.base), kPciMemory.size, &host.memory_window(kPciMemory.base), "pci memory");
  const u64 high = high_pci_base(machine.config().ram_bytes);
  memory.map_mmio(GuestPhys(high), kPciHighMemory, &host.memory_window(high), "pci high memory");
  machine.add_device(
      std::make_unique<PciFunction>("pcie.0", host, 0, kHostBridge, std::vector<PciBar>{}, std::vector<Register>{}));
  return make_pci_devices(machine, host, slots);
}

FdtBuilder describe_virt(const RiscvBoard& board, RiscvInterrupts& interrupts, u64 ram_bytes) {
  FdtBuilder tree;
  board.describe(tree, "riscv-virtio", "riscv-virtio,pagoda");
  interrupts.describe(tree, board);
  const u32 test_phandle = tree.new_phandle();
  const auto device = [&](std::string_view node_name, u64 base, u64 size, u32 irq) {
    const std::string node = fmt::format("/soc/{}@{:x}", node_name, base);
    if (irq != 0) interrupts.set_interrupt(tree, node, irq);
    tree.set_reg(node, base, size);
    return node;
  };

  describe_pci(tree, interrupts, ram_bytes);
  for (u32 slot = 0; slot < kVirtioSlots; ++slot) {
    tree.set_string(device("virtio_mmio", virtio_base(slot), kVirtio.size, kVirtioIrq + slot), "compatible",
                    "virtio,mmio");
  }
  const std::string uart = device("serial", kUart.base, kUart.size, kUartIrq);
  tree.set_cells(uart, "clock-frequency", {static_cast<u32>(Uart16550::kVirtClockHz)});
  tree.set_string(uart, "compatible", "ns16550a");
  tree.set_string("/chosen", "stdout-path", uart);
  const std::string test = device("test", kTest.base, kTest.size, 0);
  tree.set_cells(test, "phandle", {test_phandle});
  tree.set_strings(test, "compatible", {"sifive,test1", "sifive,test0", "syscon"});
  tree.set_string(device("rtc", kRtc.base, kRtc.size, kRtcIrq), "compatible", "google,goldfish-rtc");

  const std::string fw_cfg = fmt::format("/fw-cfg@{:x}", kFwCfg.base);
  tree.set_flag(fw_cfg, "dma-coherent");
  tree.set_reg(fw_cfg, kFwCfg.base, kFwCfg.size);
  tree.set_string(fw_cfg, "compatible", "qemu,fw-cfg-mmio");
  const std::string flash = fmt::format("/flash@{:x}", kFlash.base);
  tree.set_cells(flash, "bank-width", {4});
  std::vector<u32> banks;
  for (u32 bank = 0; bank < kFlashBanks; ++bank) {
    banks.insert(banks.end(), {0, static_cast<u32>(flash_base(bank)), 0, static_cast<u32>(kFlash.size)});
  }
  tree.set_cells(flash, "reg", banks);
  tree.set_string(flash, "compatible", "cfi-flash");

  for (const auto& [node, value] : {std::pair{"poweroff", kFinishPass}, std::pair{"reboot", kFinishReset}}) {
    const std::string path = fmt::format("/{}", node);
    tree.set_cells(path, "value", {value});
    tree.set_cells(path, "offset", {0});
    tree.set_cells(path, "regmap", {test_phandle});
    tree.set_string(path, "compatible", fmt::format("syscon-{}", node));
  }
  return tree;
}

// How the drive of a flash bank was given.
std::string drive_origin(const MachineConfig& config, u32 bank) {
  for (const DriveConfig& drive : config.drives) {
    if (drive.id == config.pflash[bank]) return drive.origin;
  }
  return "flash";
}

Result<> make_flash(Machine& machine) {
  for (u32 bank = 0; bank < kFlashBanks; ++bank) {
    std::unique_ptr<DiskImage> file;
    if (const std::string& id = machine.config().pflash[bank]; !id.empty()) {
      file = machine.take_drive(id);
    }
    Pflash& flash = machine.add_device(std::make_unique<Pflash>(fmt::format("flash{}", bank), machine.memory(),
                                                                Pflash::Window{flash_base(bank), kFlash.size},
                                                                std::move(file), [&machine] { machine.flush_tlbs(); }));
    if (auto mapped = flash.map(); !mapped) {
      return fail("{}: {}", drive_origin(machine.config(), bank), mapped.error().message);
    }
  }
  return {};
}

// The devices with a bootindex, as open-firmware paths in QEMU's spelling (its PCI host has no address there). A device
// of the command line is found by its name.
Result<std::vector<std::string>> boot_order_of(const MachineConfig& config,
                                               const std::vector<std::unique_ptr<VirtioDevice>>& virtio,
                                               std::span<const u32> pci_slots) {
  std::vector<BootDevice> devices;
  for (std::size_t i = 0; i < config.devices.size(); ++i) {
    const DeviceConfig& device = config.devices[i];
    const bool is_card = is_network_card(device);
    const std::string_view unit = is_card ? "ethernet-phy@0" : "disk@0,0";
    if (pci_slots[i] != 0) {
      const std::string_view kind = is_card ? "ethernet" : "scsi";
      devices.push_back({&device, fmt::format("/pci@ffffffffffffffff/{}@{:x}/{}", kind, pci_slots[i], unit)});
    }
    for (u32 slot = 0; slot < virtio.size(); ++slot) {
      if (virtio[slot] == nullptr || virtio[slot]->name() != virtio_device_name(device, i)) continue;
      devices.push_back({&device, fmt::format("/virtio-mmio@{:016x}/{}", virtio_base(slot), unit)});
    }
  }
  return sort_boot_devices(devices);
}

}  // namespace

Result<> build_riscv64_virt(Machine& machine) {
  if (!machine.config().signature.empty()) return fail("-M virt,signature=...: only machine 'spike' writes signatures");
  GuestMemory& memory = machine.memory();
  const bool boots_flash = !machine.config().pflash[0].empty();
  RiscvBoard board(machine, {.reset_rom = kResetRom,
                             .clint = kClint,
                             .ram_base = kRamBase,
                             .flash = boots_flash ? std::optional(kFlash.base) : std::nullopt});
  TRY(board.read_programs());
  TRY(memory.add_ram(GuestPhys(kRamBase), machine.config().ram_bytes, "ram"));
  TRY(board.make_harts());

  const auto map = [&](const Window& window, MmioHandler& device, std::string name) {
    memory.map_mmio(GuestPhys(window.base), window.size, &device, std::move(name));
  };
  const auto interrupts = std::make_shared<RiscvInterrupts>(machine, board);
  map(kTest, machine.add_device(std::make_unique<SifiveTest>("test", machine.power_sink())), "test");
  map(kRtc,
      machine.add_device(std::make_unique<GoldfishRtc>(
          "rtc", machine.clock(), [&machine] { return machine.wall_clock_ns(); }, interrupts->input(kRtcIrq))),
      "rtc");
  map(kUart,
      machine.add_device(std::make_unique<Uart16550>("serial0", machine.clock(), Uart16550::kVirtClockHz,
                                                     interrupts->event_input(kUartIrq), machine.serial_backend(0))),
      "serial0");
  TRY(make_flash(machine));
  TRY_ASSIGN(auto virtio, make_virtio_devices(machine, kVirtioSlots));
  TRY_ASSIGN(const auto pci_slots, place_pci_devices(machine.config()));
  TRY_ASSIGN(const auto boot_order, boot_order_of(machine.config(), virtio, pci_slots));
  TRY_ASSIGN(auto items, firmware_config(machine.config(), boot_order, boots_flash));
  map(kFwCfg, machine.add_device(std::make_unique<FwCfg>("fw_cfg", memory, std::move(items))), "fw_cfg");
  for (u32 slot = 0; slot < kVirtioSlots; ++slot) {
    const std::string name = fmt::format("virtio-mmio{}", slot);
    map({virtio_base(slot), VirtioMmio::kWindowSize},
        machine.add_device(
            std::make_unique<VirtioMmio>(name, std::move(virtio[slot]), interrupts->input(kVirtioIrq + slot))),
        name);
  }

  TRY(add_pci(machine, interrupts, pci_slots));

  TRY(board.prepare_boot(describe_virt(board, *interrupts, machine.config().ram_bytes)));
  machine.set_boot_images(board.take_boot_images());
  return {};
}

}  // namespace pagoda
