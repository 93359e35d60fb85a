// SPDX-License-Identifier: MIT
// The boards: memory map against the table, device tree against the memory map, virtio slots, bad configurations.
#include <libfdt.h>
#include <unistd.h>
#include <set>

#include "devices/firmware/fw_cfg.h"
#include "machines/boards.h"
#include "machines/machine.h"
#include "machines/riscv_virt.h"
#include "machines/tiny_guest.h"

namespace pagoda::test {
namespace {

struct Built {
  TempFile kernel{std::vector<u32>(16)};
  std::unique_ptr<Machine> machine;
  Result<> result;

  explicit Built(MachineConfig config, Result<> (*build)(Machine&) = build_riscv64_virt) {
    config.kernel = kernel.path();
    machine = std::make_unique<Machine>(config);
    result = machine->open_drives();
    if (result) result = build(*machine);
    if (result) machine->system_reset();
  }
  std::string error() const { return result ? "(none)" : result.error().message; }
  // The tree that the reset ROM points at.
  std::vector<std::byte> tree() const {
    u64 address = 0;
    EXPECT_TRUE(machine->memory().load<u64>(GuestPhys(0x1020), &address));
    std::vector<std::byte> blob(8);
    EXPECT_TRUE(machine->memory().read(GuestPhys(address), blob));
    blob.resize(fdt_totalsize(blob.data()));
    EXPECT_TRUE(machine->memory().read(GuestPhys(address), blob));
    EXPECT_EQ(fdt_check_full(blob.data(), blob.size()), 0);
    return blob;
  }
};

std::vector<u64> cells(const std::vector<std::byte>& tree, int node, const char* name) {
  int size = 0;
  const auto* value = static_cast<const fdt32_t*>(fdt_getprop(tree.data(), node, name, &size));
  std::vector<u64> result;
  for (int i = 0; i < size / 4; ++i) result.push_back(fdt32_ld(value + i));
  return result;
}
std::vector<u64> cells(const std::vector<std::byte>& tree, const char* path, const char* name) {
  return cells(tree, fdt_path_offset(tree.data(), path), name);
}
u64 wide(const std::vector<u64>& values, std::size_t at) { return values.at(at) << 32 | values.at(at + 1); }

TEST(VirtBoard, MemoryMapIsTheTable) {
  const Built built(base_config());
  ASSERT_EQ(built.error(), "(none)");
  struct Row {
    u64 base, size;
    const char* name;
  };
  // QEMU's `virt`, docs/system/riscv/virt and hw/riscv/virt.
  const std::vector<Row> expected = {
      {0x1000, 0xf000, "reset ROM"},
      {0x10'0000, 0x1000, "test"},
      {0x10'1000, 0x1000, "rtc"},
      {0x200'0000, 0x1'0000, "clint"},
      {0x300'0000, 0x1'0000, "pci I/O"},
      {0xc00'0000, 0x60'0000, "plic"},
      {0x1000'0000, 0x100, "serial0"},
      {0x1000'1000, 0x200, "virtio-mmio0"},
      {0x1000'2000, 0x200, "virtio-mmio1"},
      {0x1000'3000, 0x200, "virtio-mmio2"},
      {0x1000'4000, 0x200, "virtio-mmio3"},
      {0x1000'5000, 0x200, "virtio-mmio4"},
      {0x1000'6000, 0x200, "virtio-mmio5"},
      {0x1000'7000, 0x200, "virtio-mmio6"},
      {0x1000'8000, 0x200, "virtio-mmio7"},
      {0x1010'0000, 0x18, "fw_cfg"},
      {0x2000'0000, 32 << 20, "flash0"},
      {0x2200'0000, 32 << 20, "flash1"},
      {0x3000'0000, 0x1000'0000, "pci configuration"},
      {0x4000'0000, 0x4000'0000, "pci memory"},
      {0x8000'0000, 16 << 20, "ram"},
      {u64{16} << 30, u64{16} << 30, "pci high memory"},
  };
  const auto ranges = built.machine->memory().ranges();
  ASSERT_EQ(ranges.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(ranges[i].name, expected[i].name);
    EXPECT_EQ(ranges[i].start, expected[i].base) << expected[i].name;
    EXPECT_EQ(ranges[i].size, expected[i].size) << expected[i].name;
  }
}

// Every device node with a reg lies on a window, and every device's window has a node.
void check_tree_against_map(const Built& built) {
  ASSERT_EQ(built.error(), "(none)");
  const auto tree = built.tree();
  std::set<u64> described;
  const int soc = fdt_path_offset(tree.data(), "/soc");
  ASSERT_GE(soc, 0);
  for (int node = fdt_first_subnode(tree.data(), soc); node >= 0; node = fdt_next_subnode(tree.data(), node)) {
    const u64 base = wide(cells(tree, node, "reg"), 0);
    const GuestMemory::Range* range = built.machine->memory().find(GuestPhys(base));
    ASSERT_NE(range, nullptr) << fdt_get_name(tree.data(), node, nullptr);
    EXPECT_EQ(range->start, base);
    EXPECT_NE(range->mmio, nullptr);
    described.insert(base);
  }
  // These are beside /soc, as in QEMU's tree.
  EXPECT_EQ(cells(tree, "/flash@20000000", "reg"),
            (std::vector<u64>{0, 0x2000'0000, 0, 0x200'0000, 0, 0x2200'0000, 0, 0x200'0000}));
  EXPECT_EQ(cells(tree, "/flash@20000000", "bank-width"), (std::vector<u64>{4}));
  EXPECT_EQ(cells(tree, "/fw-cfg@10100000", "reg"), (std::vector<u64>{0, 0x1010'0000, 0, 0x18}));
  described.insert({0x1010'0000, 0x2000'0000, 0x2200'0000});
  for (const auto& range : built.machine->memory().ranges()) {
    if (range.mmio == nullptr) continue;
    if (range.name.starts_with("pci ") && range.name != "pci configuration") continue;  // in the bridge's ranges
    EXPECT_TRUE(described.contains(range.start)) << range.name;
  }
}

TEST(VirtBoard, TreeAgreesWithTheMap) {
  const Built built(base_config());
  check_tree_against_map(built);
  const auto tree = built.tree();
  const std::vector<u64> ram = cells(tree, "/memory@80000000", "reg");
  EXPECT_EQ(wide(ram, 0), kRam);
  EXPECT_EQ(wide(ram, 2), 16u << 20);
  EXPECT_EQ(cells(tree, "/cpus", "timebase-frequency"), (std::vector<u64>{10'000'000}));
  EXPECT_EQ(cells(tree, "/soc/serial@10000000", "interrupts"), (std::vector<u64>{10}));
  EXPECT_EQ(cells(tree, "/soc/serial@10000000", "clock-frequency"), (std::vector<u64>{3'686'400}));
  EXPECT_EQ(cells(tree, "/soc/rtc@101000", "interrupts"), (std::vector<u64>{11}));
  EXPECT_EQ(cells(tree, "/soc/virtio_mmio@10008000", "interrupts"), (std::vector<u64>{8}));
  EXPECT_EQ(cells(tree, "/poweroff", "value"), (std::vector<u64>{0x5555}));
  EXPECT_EQ(cells(tree, "/reboot", "value"), (std::vector<u64>{0x7777}));
  EXPECT_EQ(cells(tree, "/poweroff", "regmap"), cells(tree, "/soc/test@100000", "phandle"));
  EXPECT_EQ(cells(tree, "/chosen", "rng-seed").size(), 8u);
  EXPECT_LT(fdt_path_offset(tree.data(), "/reserved-memory"), 0);
}

// In the PLIC's place: two domains, with -M aia=aplic-imsic a page for each hart and level.
TEST(VirtBoard, AdvancedInterrupts) {
  MachineConfig config = base_config();
  config.smp = {.cpus = 2, .sockets = 1, .cores = 2, .threads = 1};
  for (const Aia kind : {Aia::aplic, Aia::aplic_imsic}) {
    config.aia = kind;
    const Built built(config);
    check_tree_against_map(built);
    const auto tree = built.tree();
    const char *root = "/soc/interrupt-controller@c000000", *child = "/soc/interrupt-controller@d000000";
    const char* files = "/soc/interrupt-controller@28000000";
    const u64 phandle = cells(tree, child, "phandle").at(0);
    EXPECT_LT(fdt_path_offset(tree.data(), "/soc/plic@c000000"), 0);
    EXPECT_EQ(cells(tree, root, "riscv,delegation"), (std::vector<u64>{phandle, 1, 95}));
    EXPECT_EQ(cells(tree, root, "riscv,children"), (std::vector<u64>{phandle}));
    EXPECT_EQ(cells(tree, "/soc/serial@10000000", "interrupts"), (std::vector<u64>{10, 4}));
    EXPECT_EQ(cells(tree, "/soc/serial@10000000", "interrupt-parent"), (std::vector<u64>{phandle}));
    EXPECT_EQ(cells(tree, "/soc/pci@30000000", "interrupt-map").size(), 16u * 7);
    const std::string isa = static_cast<const char*>(
        fdt_getprop(tree.data(), fdt_path_offset(tree.data(), "/cpus/cpu@0"), "riscv,isa", nullptr));
    EXPECT_NE(isa.find("_smaia_ssaia"), std::string::npos) << isa;
    if (kind == Aia::aplic) {
      EXPECT_EQ(cells(tree, child, "interrupts-extended").size(), 4u);
      EXPECT_LT(fdt_path_offset(tree.data(), files), 0);
    } else {
      EXPECT_EQ(cells(tree, child, "msi-parent"), cells(tree, files, "phandle"));
      EXPECT_EQ(cells(tree, "/soc/pci@30000000", "msi-parent"), cells(tree, files, "phandle"));
      EXPECT_EQ(cells(tree, files, "reg"), (std::vector<u64>{0, 0x2800'0000, 0, 0x2000}));
      EXPECT_EQ(built.machine->memory().find(GuestPhys(0x2400'1000))->name, "imsic.m");
    }
  }
  // Our firmware takes the machine level for itself, others see it.
  const auto status = [](FirmwareKind firmware) {
    MachineConfig with = base_config();
    with.aia = Aia::aplic;
    with.firmware = firmware;
    const Built built(with);
    const auto tree = built.tree();
    return fdt_getprop(tree.data(), fdt_path_offset(tree.data(), "/soc/interrupt-controller@c000000"), "status",
                       nullptr);
  };
  EXPECT_NE(status(FirmwareKind::builtin), nullptr);
  EXPECT_EQ(status(FirmwareKind::none), nullptr);
}

TEST(VirtBoard, HartsAndTheirWires) {
  MachineConfig config = base_config();
  config.smp = {.cpus = 3, .sockets = 1, .cores = 3, .threads = 1};
  const Built built(config);
  const auto tree = built.tree();
  std::vector<u64> clint, plic;
  for (u64 hart = 0; hart < 3; ++hart) {
    const std::string cpu = fmt::format("/cpus/cpu@{}", hart);
    EXPECT_EQ(cells(tree, cpu.c_str(), "reg"), (std::vector<u64>{hart}));
    const auto phandle = cells(tree, (cpu + "/interrupt-controller").c_str(), "phandle");
    ASSERT_EQ(phandle.size(), 1u);
    clint.insert(clint.end(), {phandle[0], 3, phandle[0], 7});
    plic.insert(plic.end(), {phandle[0], 11, phandle[0], 9});
    EXPECT_EQ(cells(tree, fmt::format("/cpus/cpu-map/cluster0/core{}", hart).c_str(), "cpu"),
              cells(tree, cpu.c_str(), "phandle"));
  }
  EXPECT_EQ(cells(tree, "/soc/clint@2000000", "interrupts-extended"), clint);
  EXPECT_EQ(cells(tree, "/soc/plic@c000000", "interrupts-extended"), plic);
}

TEST(VirtBoard, SstcIsNotListedWithoutTime) {
  MachineConfig config = base_config();
  const auto isa = [](const MachineConfig& c) {
    const Built built(c);
    const auto tree = built.tree();
    return std::string(static_cast<const char*>(
        fdt_getprop(tree.data(), fdt_path_offset(tree.data(), "/cpus/cpu@0"), "riscv,isa", nullptr)));
  };
  EXPECT_NE(isa(config).find("sstc"), std::string::npos);
  config.cpu.features = {{"zicntr", false}};
  EXPECT_EQ(isa(config).find("sstc"), std::string::npos);
}

TEST(VirtBoard, FirmwareIsReservedAlsoInForeignTrees) {
  MachineConfig config = base_config();
  config.firmware = FirmwareKind::builtin;
  config.append = "quiet";
  const Built own(config);
  ASSERT_EQ(own.error(), "(none)");
  FdtBuilder foreign;
  foreign.set_cells("/reserved-memory", "#address-cells", {1});
  foreign.set_cells("/reserved-memory", "#size-cells", {1});
  foreign.set_string("/", "compatible", "foreign");
  const TempFile dtb{std::span<const std::byte>(*foreign.finish())};
  config.dtb = dtb.path();
  const Built patched(config);
  ASSERT_EQ(patched.error(), "(none)");
  const char* node = "/reserved-memory/mmode_resv0@80000000";
  EXPECT_EQ(cells(own.tree(), node, "reg"), (std::vector<u64>{0, kRam, 0, 0x40000}));
  EXPECT_EQ(cells(patched.tree(), node, "reg"), (std::vector<u64>{kRam, 0x40000}));
  for (const auto& tree : {own.tree(), patched.tree()}) {
    const int offset = fdt_path_offset(tree.data(), node);
    EXPECT_NE(fdt_getprop(tree.data(), offset, "no-map", nullptr), nullptr);
    EXPECT_STREQ(static_cast<const char*>(
                     fdt_getprop(tree.data(), fdt_path_offset(tree.data(), "/chosen"), "bootargs", nullptr)),
                 "quiet");
  }
  EXPECT_LT(fdt_path_offset(patched.tree().data(), "/cpus"), 0);
}

TEST(VirtBoard, InitrdLiesInRamAndInTheTree) {
  const std::vector<std::byte> content(5000, std::byte{0x5a});
  const TempFile initrd{std::span<const std::byte>(content)};
  MachineConfig config = base_config();
  config.firmware = FirmwareKind::builtin;
  config.initrd = initrd.path();
  const Built built(config);
  ASSERT_EQ(built.error(), "(none)");
  const auto tree = built.tree();
  const u64 start = wide(cells(tree, "/chosen", "linux,initrd-start"), 0);
  EXPECT_EQ(wide(cells(tree, "/chosen", "linux,initrd-end"), 0), start + content.size());
  std::vector<std::byte> loaded(content.size());
  ASSERT_TRUE(built.machine->memory().read(GuestPhys(start), loaded));
  EXPECT_EQ(loaded, content);
}

DeviceConfig device(std::string driver, std::vector<Property> properties = {}, std::string id = "") {
  return {.driver = driver, .id = std::move(id), .properties = std::move(properties), .origin = "-device " + driver};
}

u32 device_id(const Machine& machine, u32 slot) {
  const auto* range = const_cast<Machine&>(machine).memory().find(GuestPhys(0x1000'1000 + u64{slot} * 0x1000));
  return static_cast<u32>(range->mmio->peek(8, 4));
}

TEST(VirtBoard, DevicesTakeSlotsFromTheLast) {
  MachineConfig config = base_config();
  config.devices = {device("virtio-rng-device"), device("virtio-serial-device"),
                    device("virtio-rng-device", {{"bus", "virtio-mmio-bus.2"}})};
  const Built built(config);
  ASSERT_EQ(built.error(), "(none)");
  EXPECT_EQ(device_id(*built.machine, 7), 4u);
  EXPECT_EQ(device_id(*built.machine, 6), 3u);
  EXPECT_EQ(device_id(*built.machine, 5), 0u);
  EXPECT_EQ(device_id(*built.machine, 2), 4u);
  // The kernel probes in the tree's order: the first device first.
  const auto tree = built.tree();
  std::vector<std::string> order;
  const int soc = fdt_path_offset(tree.data(), "/soc");
  for (int node = fdt_first_subnode(tree.data(), soc); node >= 0; node = fdt_next_subnode(tree.data(), node)) {
    const std::string name = fdt_get_name(tree.data(), node, nullptr);
    if (name.starts_with("virtio")) order.push_back(name);
  }
  ASSERT_EQ(order.size(), 8u);
  EXPECT_EQ(order.front(), "virtio_mmio@10008000");
  EXPECT_EQ(order.back(), "virtio_mmio@10001000");
}

TEST(VirtBoard, DeviceErrors) {
  const auto error_of = [](std::vector<DeviceConfig> devices) {
    MachineConfig config = base_config();
    config.devices = std::move(devices);
    return Built(config).error();
  };
  EXPECT_EQ(error_of(std::vector<DeviceConfig>(9, device("virtio-rng-device"))),
            "-device virtio-rng-device: all 8 virtio slots of the machine are in use");
  EXPECT_EQ(error_of({device("virtio-rng-device", {{"bus", "virtio-mmio-bus.8"}})}),
            "-device virtio-rng-device: there is no bus 'virtio-mmio-bus.8' (virtio-mmio-bus.0 to 7)");
  EXPECT_EQ(error_of({device("virtio-rng-device"), device("virtio-rng-device", {{"bus", "virtio-mmio-bus.7"}})}),
            "-device virtio-rng-device: bus 'virtio-mmio-bus.7' is in use");
  EXPECT_EQ(error_of({device("virtio-serial-device"), device("virtconsole", {{"nr", "0"}}),
                      device("virtconsole", {{"nr", "0"}})}),
            "-device virtconsole: nr=0 is in use or not possible (0, for a virtconsole, to 30)");
  EXPECT_EQ(
      error_of({device("virtio-serial-device", {}, "a"), device("virtconsole", {{"bus", "b.0"}})}),
      "-device virtconsole: there is no bus 'b.0' (ID.0 of a virtio-serial-device or virtio-serial-pci before it)");
  EXPECT_EQ(error_of({device("virtio-rng-pci", {{"bus", "pci.0"}})}),
            "-device virtio-rng-pci: there is no bus 'pci.0' (pcie.0)");
  EXPECT_EQ(error_of({device("virtio-rng-pci", {{"addr", "0"}})}), "-device virtio-rng-pci: addr=0 is in use");
  for (const char* address : {"20", "x", "1.1", "", "-1"}) {
    EXPECT_EQ(
        error_of({device("virtio-rng-pci", {{"addr", address}})}),
        fmt::format("-device virtio-rng-pci: addr={}: a slot is a hexadecimal number up to 1f; there are no functions "
                    "but 0",
                    address));
  }
  EXPECT_EQ(error_of(std::vector<DeviceConfig>(32, device("virtio-rng-pci"))),
            "-device virtio-rng-pci: all slots of pcie.0 are in use");
}

// The bridge's windows are the map's, and each pin of each slot leads where the host drives it.
TEST(VirtBoard, PciBridge) {
  MachineConfig config = base_config();
  config.devices = {device("virtio-rng-pci"), device("virtio-serial-pci", {{"addr", "1f"}}), device("virtio-rng-pci")};
  const Built built(config);
  ASSERT_EQ(built.error(), "(none)");
  const auto tree = built.tree();
  const char* pci = "/soc/pci@30000000";
  EXPECT_EQ(cells(tree, pci, "ranges"), (std::vector<u64>{0x100'0000, 0, 0,           0, 0x300'0000,  0, 0x1'0000,
                                                          0x200'0000, 0, 0x4000'0000, 0, 0x4000'0000, 0, 0x4000'0000,
                                                          0x300'0000, 4, 0,           4, 0,           4, 0}));
  const auto map = cells(tree, pci, "interrupt-map");
  const u64 plic = cells(tree, "/soc/plic@c000000", "phandle").at(0);
  ASSERT_EQ(map.size(), 16u * 6);
  for (std::size_t i = 0; i < 16; ++i) {
    const std::vector<u64> row(map.begin() + static_cast<std::ptrdiff_t>(6 * i),
                               map.begin() + static_cast<std::ptrdiff_t>(6 * i + 6));
    EXPECT_EQ(row, (std::vector<u64>{i / 4 * 0x800, 0, 0, i % 4 + 1, plic, 0x20 + (i / 4 + i % 4) % 4}));
  }
  const MmioHandler* ecam = built.machine->memory().find(GuestPhys(0x3000'0000))->mmio;
  EXPECT_EQ(ecam->peek(0, 4), 0x0008'1b36u);
  EXPECT_EQ(ecam->peek(1 << 15, 4), 0x1044'1af4u);
  EXPECT_EQ(ecam->peek(2 << 15, 4), 0x1044'1af4u);
  EXPECT_EQ(ecam->peek(0x1f << 15, 4), 0x1043'1af4u);
  EXPECT_EQ(ecam->peek(3 << 15, 4), 0xffff'ffffu);
  config.ram_bytes = u64{15} << 30;
  EXPECT_EQ(wide(cells(Built(config).tree(), pci, "ranges"), 15), u64{32} << 30);
}

// A file of zeros with no content on the host.
struct BlankFile : TempFile {
  explicit BlankFile(u64 size) { EXPECT_EQ(truncate(path().c_str(), static_cast<off_t>(size)), 0); }
};

u64 reset_rom_word(const Machine& machine, u64 offset) {
  u64 value = 0;
  EXPECT_TRUE(const_cast<Machine&>(machine).memory().load<u64>(GuestPhys(0x1000 + offset), &value));
  return value;
}

TEST(VirtBoard, FlashTakesTheKernelsPlace) {
  const BlankFile flash(32 << 20);
  MachineConfig config = base_config();
  config.drives = {{.id = "p0", .file = flash.path(), .readonly = true, .origin = "-drive x"}};
  config.pflash[0] = "p0";
  config.append = "quiet";
  for (const FirmwareKind firmware : {FirmwareKind::none, FirmwareKind::builtin}) {
    config.firmware = firmware;
    const Built built(config);
    ASSERT_EQ(built.error(), "(none)");
    const bool machine_mode = firmware == FirmwareKind::none;
    EXPECT_EQ(reset_rom_word(*built.machine, 0x18), machine_mode ? 0x2000'0000u : kRam);
    EXPECT_EQ(reset_rom_word(*built.machine, 0x38), machine_mode ? 0u : 0x2000'0000u);  // fw_dynamic's next address
    // -kernel and -append are for the firmware to fetch.
    const auto* range = built.machine->memory().find(GuestPhys(0x1010'0000));
    const auto& fw_cfg = dynamic_cast<const FwCfg&>(*range->mmio);
    ASSERT_NE(fw_cfg.item(FwCfg::kKernelData), nullptr);
    EXPECT_EQ(fw_cfg.item(FwCfg::kKernelData)->size(), 64u);
    EXPECT_EQ(fw_cfg.item(FwCfg::kCmdlineData)->size(), 6u);
  }
}

TEST(VirtBoard, FlashImagesHaveTheBanksSize) {
  const BlankFile flash(1 << 20);
  MachineConfig config = base_config();
  config.drives = {{.id = "p1", .file = flash.path(), .readonly = false, .origin = "-drive x"}};
  config.pflash[1] = "p1";
  EXPECT_EQ(Built(config).error(),
            fmt::format("-drive x: disk image {}: a flash bank has 33554432 bytes, the file 1048576", flash.path()));
}

TEST(VirtBoard, BootOrderIsForFirmware) {
  const BlankFile disk(1 << 20), other(1 << 20), third(1 << 20);
  MachineConfig config = base_config();
  config.drives = {{.id = "a", .file = disk.path(), .readonly = false, .origin = ""},
                   {.id = "b", .file = other.path(), .readonly = false, .origin = ""},
                   {.id = "c", .file = third.path(), .readonly = false, .origin = ""}};
  config.devices = {device("virtio-blk-device", {{"drive", "a"}, {"bootindex", "2"}}),
                    device("virtio-blk-device", {{"drive", "b"}, {"bootindex", "1"}}, "second"),
                    device("virtio-rng-pci"),
                    device("virtio-blk-pci", {{"drive", "c"}, {"bootindex", "0"}, {"addr", "1f"}}),
                    device("virtio-net-pci", {{"bootindex", "3"}}),
                    device("virtio-net-device", {{"bootindex", "4"}})};
  config.boot.strict = true;
  config.uuid[15] = 7;
  config.boot.menu = true;
  config.fw_cfg = {{.name = "opt/x", .file = "", .text = "text", .origin = ""}};
  const auto text_of = [](const FwCfg& fw_cfg, const char* name) {
    const FwCfg::Bytes* bytes = fw_cfg.file(name);
    return bytes == nullptr ? "(none)" : std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  };
  {
    const Built built(config);
    ASSERT_EQ(built.error(), "(none)");
    const auto* range = built.machine->memory().find(GuestPhys(0x1010'0000));
    const auto& fw_cfg = dynamic_cast<const FwCfg&>(*range->mmio);
    const char* expected =
        "/pci@ffffffffffffffff/scsi@1f/disk@0,0\n/virtio-mmio@0000000010007000/disk@0,0\n"
        "/virtio-mmio@0000000010008000/disk@0,0\n/pci@ffffffffffffffff/ethernet@2/ethernet-phy@0\n"
        "/virtio-mmio@0000000010006000/ethernet-phy@0\nHALT\n";
    EXPECT_EQ(text_of(fw_cfg, "bootorder"), std::string(expected) + '\0');
    EXPECT_EQ(text_of(fw_cfg, "opt/x"), "text");
    EXPECT_EQ((*fw_cfg.item(FwCfg::kUuid))[15], std::byte{7});
    EXPECT_EQ((*fw_cfg.item(FwCfg::kBootMenu))[0], std::byte{1});
    EXPECT_EQ(fw_cfg.item(FwCfg::kKernelData), nullptr);
  }
  config.fw_cfg.push_back({.name = "bootorder", .file = "", .text = "", .origin = "-fw_cfg y"});
  EXPECT_EQ(Built(config).error(), "-fw_cfg y: the machine has an item of that name");
  config.devices[1].properties[1].value = "2";
  EXPECT_EQ(Built(config).error(), "-device virtio-blk-device: bootindex 2 is used twice");
}

TEST(VirtBoard, BadBoots) {
  MachineConfig config = base_config();
  config.firmware = FirmwareKind::builtin;
  config.ram_bytes = 1 << 20;
  EXPECT_NE(Built(config).error().find("do not fit into RAM"), std::string::npos) << Built(config).error();
  config.ram_bytes = 128 << 10;
  EXPECT_NE(Built(config).error().find("do not fit into RAM"), std::string::npos) << Built(config).error();
  config = base_config();
  const TempFile not_a_tree{std::vector<u32>(64, 1)};
  config.dtb = not_a_tree.path();
  EXPECT_EQ(Built(config).error(),
            fmt::format("-dtb {}: it does not begin with a device tree's magic number", config.dtb));
  config = base_config();
  Machine machine(config);
  EXPECT_EQ(build_riscv64_virt(machine).error().message, "nothing to boot: give -kernel FILE, or -bios FILE");
}

TEST(SpikeBoard, TakesNoDevices) {
  MachineConfig config = base_config("spike");
  config.devices = {device("virtio-rng-device")};
  EXPECT_EQ(Built(config, build_riscv64_spike).error(), "-device virtio-rng-device: machine 'spike' has no bus for it");
}

TEST(SpikeBoard, MapAndTree) {
  const Built built(base_config("spike"), build_riscv64_spike);
  ASSERT_EQ(built.error(), "(none)");
  EXPECT_EQ(built.machine->memory().find(GuestPhys(0x0100'0000))->name, "htif");
  EXPECT_EQ(built.machine->memory().find(GuestPhys(0x0200'0000))->name, "clint");
  EXPECT_EQ(cells(built.tree(), "/htif", "reg"), (std::vector<u64>{0, 0x100'0000, 0, 8, 0, 0x100'0008, 0, 8}));
}

}  // namespace
}  // namespace pagoda::test
