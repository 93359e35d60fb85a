// SPDX-License-Identifier: MIT
// Discovery: harts, interrupt and timer registers, console and reset devices from the device tree.
#include "platform.h"

#include "console.h"
#include "csr.h"
#include "dtb.h"

extern "C" {
extern uint8_t region_start[];
extern uint8_t region_end[];
int64_t guarded_load_byte(uint64_t address);
[[noreturn]] void park();
}

namespace pagoda::firmware {

extern "C" {
[[gnu::section(".noinit")]] HartSlot harts[kMaxHarts + 1];
[[gnu::section(".noinit")]] alignas(16) uint8_t stacks[kMaxHarts + 1][STACK_SIZE];
uint32_t hart_count;
}

Platform platform;

namespace {

// Used only when the boot loader passed no device tree at all: the addresses of the `virt` machine.
constexpr uint64_t kFallbackUart = 0x10000000;
constexpr uint64_t kFallbackClint = 0x02000000;
constexpr uint64_t kFallbackFinisher = 0x00100000;
// Where supervisors are loaded by convention if no boot information says so.
constexpr uint64_t kFallbackNextOffset = 0x200000;

// Offsets within a CLINT (SiFive U54 manual, chapter "Core-Local Interruptor").
constexpr uint64_t kClintMtimecmp = 0x4000;
constexpr uint64_t kClintMtime = 0xbff8;
constexpr uint64_t kClintSize = 0x10000;

constexpr uint32_t kIrqMachineSoft = 3;
constexpr uint32_t kIrqMachineTimer = 7;

struct NamedExtension {
  char name[12];  // not a pointer: the image holds no addresses
  IsaExtension bit;
};

constexpr NamedExtension kExtensions[] = {
    {"sstc", kIsaSstc},           {"zicbom", kIsaZicbom}, {"zicboz", kIsaZicboz},       {"svade", kIsaSvade},
    {"svadu", kIsaSvadu},         {"svpbmt", kIsaSvpbmt}, {"smstateen", kIsaSmstateen}, {"sscofpmf", kIsaSscofpmf},
    {"smcntrpmf", kIsaSmcntrpmf}, {"zkr", kIsaZkr},
};

Hart& add_hart(uint64_t id) {
  Hart& hart = harts[hart_count];
  hart = Hart{};
  hart.id = id;
  hart.index = hart_count;
  set_hart_state(hart, HartState::kStopped);
  hart.stack_top = reinterpret_cast<uint64_t>(stacks[hart_count + 1]);
  ++hart_count;
  return hart;
}

// riscv,isa-extensions is a list of names; riscv,isa is one string with the long names set off by underscores.
uint32_t parse_extensions(const DtbNode& cpu) {
  uint32_t found = 0;
  const DtbProperty list = cpu.property("riscv,isa-extensions");
  const DtbProperty isa = cpu.property("riscv,isa");
  const char* text = reinterpret_cast<const char*>(isa.data);
  for (const NamedExtension& extension : kExtensions) {
    if (list.lists(extension.name)) found |= extension.bit;
    for (uint32_t at = 0; at + 1 < isa.size; ++at) {
      if (text[at] != '_' || !text_starts_with(text + at + 1, extension.name)) continue;
      uint32_t after = at + 1;
      while (extension.name[after - at - 1] != 0) ++after;
      if (text[after] == 0 || text[after] == '_') found |= extension.bit;
    }
  }
  return found;
}

void find_harts(const Dtb& dtb) {
  Hart* last = nullptr;
  dtb.for_each_node([&](const DtbNode& node) {
    if (node.property("device_type").lists("cpu")) {
      uint64_t id = 0;
      uint64_t size = 0;
      last = nullptr;
      if (!node.enabled() || !node.reg(0, id, size) || hart_count == kMaxHarts) return;
      last = &add_hart(id);
      last->extensions = parse_extensions(node);
    } else if (last != nullptr && node.compatible("riscv,cpu-intc")) {
      last->intc_phandle = node.phandle();
    }
  });
}

Hart* hart_of_intc(uint32_t phandle) {
  for (uint32_t i = 0; i < hart_count; ++i) {
    if (harts[i].intc_phandle == phandle) return &harts[i];
  }
  return nullptr;
}

void keep_private(uint64_t base, uint64_t size) {
  if (platform.private_range_count < Platform::kMaxPrivateRanges) {
    platform.private_ranges[platform.private_range_count++] = {base, size};
  }
}

// The node's interrupts-extended names, entry by entry, the hart and interrupt that each of its registers drives.
template <typename Connect>
void for_each_connection(const DtbNode& node, Connect connect) {
  const DtbProperty wires = node.property("interrupts-extended");
  for (uint32_t i = 0; i + 1 < wires.cell_count(); i += 2) {
    if (Hart* hart = hart_of_intc(wires.cell(i)); hart != nullptr) connect(*hart, wires.cell(i + 1), i / 2);
  }
}

void connect_soft(Hart& hart, uint64_t address) { hart.msip = reinterpret_cast<volatile uint32_t*>(address); }

void connect_timer(Hart& hart, uint64_t compare, uint64_t time) {
  hart.mtimecmp = reinterpret_cast<volatile uint64_t*>(compare);
  hart.mtime = reinterpret_cast<volatile uint64_t*>(time);
}

void find_local_interrupts(const DtbNode& node) {
  uint64_t base = 0;
  uint64_t size = 0;
  if (!node.reg(0, base, size)) return;
  if (node.compatible("sifive,clint0") || node.compatible("riscv,clint0")) {
    keep_private(base, size);
    for_each_connection(node, [&](Hart& hart, uint32_t irq, uint32_t index) {
      // Two wires per hart.
      if (irq == kIrqMachineSoft) connect_soft(hart, base + 4 * (index / 2));
      if (irq == kIrqMachineTimer) {
        connect_timer(hart, base + kClintMtimecmp + 8 * (index / 2), base + kClintMtime);
      }
    });
  } else if (node.compatible("riscv,aclint-mswi")) {
    keep_private(base, size);
    for_each_connection(node, [&](Hart& hart, uint32_t irq, uint32_t index) {
      if (irq == kIrqMachineSoft) connect_soft(hart, base + 4 * index);
    });
  } else if (node.compatible("riscv,aclint-mtimer")) {
    uint64_t compare = 0;
    uint64_t compare_size = 0;
    if (!node.reg(1, compare, compare_size)) return;
    keep_private(base, size);
    keep_private(compare, compare_size);
    for_each_connection(node, [&](Hart& hart, uint32_t irq, uint32_t index) {
      if (irq == kIrqMachineTimer) connect_timer(hart, compare + 8 * index, base);
    });
  }
}

// Binding riscv,aplic: a domain hands sources to its children before anybody else looks at them. Machine mode uses
// none.
void delegate_sources(const DtbNode& node) {
  constexpr uint32_t kSourcecfgDelegate = 1 << 10;  // AIA 1.0, 4.5.2
  constexpr uint32_t kMaxSource = 1023;
  uint64_t base = 0;
  uint64_t size = 0;
  const DtbProperty children = node.property("riscv,children");
  DtbProperty ranges = node.property("riscv,delegation");
  if (!ranges) ranges = node.property("riscv,delegate");
  if (!ranges || !node.reg(0, base, size)) return;
  keep_private(base, size);
  for (uint32_t i = 0; i + 2 < ranges.cell_count(); i += 3) {
    uint32_t child = 0;
    while (child < children.cell_count() && children.cell(child) != ranges.cell(i)) ++child;
    const uint32_t last = ranges.cell(i + 2);
    for (uint32_t source = ranges.cell(i + 1); source != 0 && source <= last && source <= kMaxSource; ++source) {
      *reinterpret_cast<volatile uint32_t*>(base + 4 * source) = kSourcecfgDelegate | child;
    }
  }
}

void find_console(const DtbNode& node) {
  uint64_t base = 0;
  uint64_t size = 0;
  if (node.compatible("ns16550a") || node.compatible("ns16550") || node.compatible("snps,dw-apb-uart")) {
    if (platform.uart.base != 0 || !node.enabled() || !node.reg(0, base, size)) return;
    const DtbProperty width = node.property("reg-io-width");
    platform.uart = {base + node.property("reg-offset").cell(0), node.property("reg-shift").cell(0),
                     width ? width.cell(0) : 1};
  } else if (node.compatible("ucb,htif0") && node.reg(0, base, size)) {
    platform.htif_fromhost = base;
    platform.htif_tohost = base + 8;
    if (uint64_t tohost = 0; node.reg(1, tohost, size)) platform.htif_tohost = tohost;
  }
}

void find_syscon(const Dtb& dtb, const DtbNode& node, SysconWrite& write) {
  const uint32_t regmap = node.property("regmap").cell(0);
  const DtbProperty value = node.property("value");
  const DtbProperty mask = node.property("mask");
  if (!value && !mask) return;
  dtb.for_each_node([&](const DtbNode& device) {
    uint64_t base = 0;
    uint64_t size = 0;
    if (device.phandle() != regmap || !device.reg(0, base, size)) return;
    // Bindings power/reset/syscon-*: without `value`, `mask` is the value.
    write = {base + node.property("offset").cell(0), value ? value.cell(0) : mask.cell(0),
             value && mask ? mask.cell(0) : 0xffffffff};
  });
}

// Binding perf/riscv,pmu. Without such a node there are cycle and instret.
void find_counters(const DtbNode& node) {
  const DtbProperty counters = node.property("riscv,event-to-mhpmcounters");
  const DtbProperty selectors = node.property("riscv,event-to-mhpmevent");
  for (uint32_t i = 0; i + 2 < counters.cell_count() && platform.event_count < Platform::kMaxEvents; i += 3) {
    platform.events[platform.event_count++] = {counters.cell(i), counters.cell(i + 1), counters.cell(i + 2)};
  }
  for (uint32_t i = 0; i + 2 < selectors.cell_count() && platform.selector_count < Platform::kMaxEvents; i += 3) {
    const uint64_t selector = uint64_t{selectors.cell(i + 1)} << 32 | selectors.cell(i + 2);
    platform.selectors[platform.selector_count++] = {selectors.cell(i), selector};
  }
}

void find_devices(const Dtb& dtb) {
  dtb.for_each_node([&](const DtbNode& node) {
    uint64_t size = 0;
    find_local_interrupts(node);
    find_console(node);
    if (node.compatible("riscv,aplic")) delegate_sources(node);
    if (node.compatible("riscv,pmu")) find_counters(node);
    if (node.compatible("sifive,test0")) node.reg(0, platform.finisher, size);
    if (node.compatible("syscon-poweroff")) find_syscon(dtb, node, platform.poweroff);
    if (node.compatible("syscon-reboot")) find_syscon(dtb, node, platform.reboot);
  });
}

void use_fallback(uint64_t hart_id) {
  Hart& hart = add_hart(hart_id);
  connect_soft(hart, kFallbackClint + 4 * hart_id);
  connect_timer(hart, kFallbackClint + kClintMtimecmp + 8 * hart_id, kFallbackClint + kClintMtime);
  keep_private(kFallbackClint, kClintSize);
  platform.uart = {kFallbackUart, 0, 1};
  platform.finisher = kFallbackFinisher;
}

uint64_t load_doubleword(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }

// OpenSBI's fw_dynamic_info as QEMU passes it: magic, version, next_addr, next_mode, options, boot_hart.
void read_boot_info(uint64_t info) {
  constexpr uint64_t kSupervisorMode = 1;
  platform.next_address = firmware_range().base + kFallbackNextOffset;
  if (info == 0 || (info & 7) != 0 || guarded_load_byte(info) < 0) return;
  if (load_doubleword(info) != BOOT_INFO_MAGIC) return;
  platform.next_address = load_doubleword(info + 16);
  if (platform.next_address == 0) {
    console_write("Pagoda SBI: there is no kernel to start\n");
    park();
  }
  if (load_doubleword(info + 24) != kSupervisorMode) {
    console_write("Pagoda SBI: the next stage must run in supervisor mode\n");
    park();
  }
}

}  // namespace

PhysicalRange firmware_range() {
  const uint64_t base = reinterpret_cast<uint64_t>(region_start);
  return {base, reinterpret_cast<uint64_t>(region_end) - base};
}

// Runs once, on the boot hart, before any hart has its slot.
extern "C" void discover(uint64_t hart_id, uint64_t device_tree, uint64_t boot_info) {
  Dtb dtb;
  platform.boot_hart_id = hart_id;
  platform.device_tree = device_tree;
  if (device_tree != 0 && guarded_load_byte(device_tree) >= 0 && dtb.open(device_tree)) {
    find_harts(dtb);
    find_devices(dtb);
  }
  if (hart_count == 0) use_fallback(hart_id);
  console_init();
  read_boot_info(boot_info);
}

}  // namespace pagoda::firmware
