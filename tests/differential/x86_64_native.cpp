// SPDX-License-Identifier: MIT
// Entering a case with all its registers, and leaving it: by a jump behind its code, or by the signal of an exception.
//
// While the case runs no register is ours, so everything goes through one page at a fixed low address (Gate).
#include "differential/x86_64_native.h"

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "cpu/x86_64/processor.h"

// The assembly below.
extern "C" void pagoda_case_enter();
extern "C" void pagoda_case_leave();
extern "C" void pagoda_case_return();

namespace pagoda::x86_64 {
namespace {

constexpr std::size_t kCodeBytes = 0x1000;
constexpr std::size_t kStackBytes = 0x10000;
constexpr u8 kBreakpoint = 0xcc;
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
// What programs may set in RFLAGS; interrupts stay on.
constexpr u64 kUserFlags = 0x244cd5, kInterrupt = 0x200;

// The frame of a signal, too, holds what xsave stores: the image of fxsave, from 512 on the header, at 576 the high
// halves of ymm (SDM volume 1, 13.4). What the header's first word does not name is in its initial state and not
// stored.
constexpr u32 kXsaveHeader = 512, kYmmHigh = 576, kXsaveBytes = 832;
constexpr u64 kAllStates = 7;

// The parts of a signal's frame or of an xsave area.
void load_fp(const u8* from, FpImage& image) {
  u64 states;
  std::memcpy(&states, from + kXsaveHeader, 8);
  std::memcpy(image.fx.data(), from, image.fx.size());
  std::memcpy(image.high.data(), from + kYmmHigh, sizeof image.high);
  if ((states & 1) == 0) {
    std::memset(image.fx.data(), 0, FpImage::kMxcsr);
    std::memset(&image.fx[FpImage::kStack], 0, FpImage::kXmm - FpImage::kStack);
    image.set<u16>(FpImage::kControl, 0x37f);
  }
  if ((states & 2) == 0) std::memset(&image.fx[FpImage::kXmm], 0, image.fx.size() - FpImage::kXmm);
  if ((states & 4) == 0) std::memset(image.high.data(), 0, sizeof image.high);
}
void store_fp(const FpImage& image, u8* to) {
  std::memcpy(to, image.fx.data(), image.fx.size());
  std::memcpy(to + kXsaveHeader, &kAllStates, 8);
  std::memcpy(to + kYmmHigh, image.high.data(), sizeof image.high);
}

// The page between us and the case; offsets are those in the assembly below.
struct Gate {
  u64 host_rsp;
  const void* leave;
  u64 code;
  u64 flags_in, flags_out;
  alignas(128) u64 gpr_in[16];
  u64 gpr_out[16];
  alignas(1024) u8 fp_in[kXsaveBytes];
  alignas(1024) u8 fp_out[kXsaveBytes];
  alignas(1024) u8 fp_host[kXsaveBytes];  // all in their initial state
  u64 stack[16];
};
constexpr u64 kGateAddress = kCodeAddress + 0x2000;
static_assert(kGateAddress == 0x10002000 && offsetof(Gate, gpr_in) == 0x80 && offsetof(Gate, gpr_out) == 0x100 &&
              offsetof(Gate, fp_in) == 0x400 && offsetof(Gate, fp_out) == 0x800 && offsetof(Gate, fp_host) == 0xc00 &&
              sizeof(Gate) <= 0x1000 && offsetof(Gate, stack) == 0xf40);
Gate& gate() { return *reinterpret_cast<Gate*>(kGateAddress); }

// jmp [gate.leave], as bytes behind the code of a case.
constexpr u8 kLeave[] = {0xff, 0x24, 0x25, 0x08, 0x20, 0x00, 0x10};

asm(R"(
  .text
pagoda_case_enter:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, 0x10002000
  mov $7, %eax
  xor %edx, %edx
  xrstor64 0x10002400
  mov $0x10002fc0, %rsp
  pushq 0x10002018
  popfq
  mov 0x10002080, %rax
  mov 0x10002088, %rcx
  mov 0x10002090, %rdx
  mov 0x10002098, %rbx
  mov 0x100020a0, %rsp
  mov 0x100020a8, %rbp
  mov 0x100020b0, %rsi
  mov 0x100020b8, %rdi
  mov 0x100020c0, %r8
  mov 0x100020c8, %r9
  mov 0x100020d0, %r10
  mov 0x100020d8, %r11
  mov 0x100020e0, %r12
  mov 0x100020e8, %r13
  mov 0x100020f0, %r14
  mov 0x100020f8, %r15
  jmp *0x10002010
pagoda_case_leave:
  mov %rax, 0x10002100
  mov %rcx, 0x10002108
  mov %rdx, 0x10002110
  mov %rbx, 0x10002118
  mov %rsp, 0x10002120
  mov %rbp, 0x10002128
  mov %rsi, 0x10002130
  mov %rdi, 0x10002138
  mov %r8, 0x10002140
  mov %r9, 0x10002148
  mov %r10, 0x10002150
  mov %r11, 0x10002158
  mov %r12, 0x10002160
  mov %r13, 0x10002168
  mov %r14, 0x10002170
  mov %r15, 0x10002178
  mov $0x10002fc0, %rsp
  pushfq
  popq 0x10002020
  mov $7, %eax
  xor %edx, %edx
  xsave64 0x10002800
pagoda_case_return:
  cld
  mov $7, %eax
  xor %edx, %edx
  xrstor64 0x10002c00
  mov 0x10002000, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
)");

struct Shared {
  Outcome* to = nullptr;  // null: no case is running
  bool trapped = false;
  struct sigaction old[std::size(kSignals)];
  void* stack = nullptr;
} shared;

// An exception ended the case.
void handle(int signal, siginfo_t*, void* raw) {
  auto& context = *static_cast<ucontext_t*>(raw);
  greg_t* registers = context.uc_mcontext.gregs;
  if (shared.to == nullptr) {  // not ours: happens again with the default action
    ::signal(signal, SIG_DFL);
    return;
  }
  Outcome& to = *shared.to;
  for (u32 i = 0; i < 16; ++i) to.gpr[i] = static_cast<u64>(registers[kRegisters[i]]);
  to.rflags = static_cast<u64>(registers[REG_EFL]) & kUserFlags;
  to.pc = static_cast<u64>(registers[REG_RIP]);
  to.vector = static_cast<u32>(registers[REG_TRAPNO]);
  to.fault_address = to.vector == 14 ? static_cast<u64>(registers[REG_CR2]) : 0;
  if (to.vector == 3) {
    to.vector = Outcome::kRanOn;
    --to.pc;
  } else if (to.vector == 14 && to.fault_address == to.pc) {  // a jump out of the code
    to.vector = Outcome::kRanOn;
    to.fault_address = 0;
  }
  load_fp(reinterpret_cast<const u8*>(context.uc_mcontext.fpregs), to.fp);
  shared.to = nullptr;
  shared.trapped = true;
  registers[REG_RIP] = reinterpret_cast<greg_t>(&pagoda_case_return);
  registers[REG_EFL] = static_cast<greg_t>(rflags::kFixed | kInterrupt);
}

bool map(u64 address, std::size_t bytes, int protection) {
  void* const wanted = reinterpret_cast<void*>(address);
  return mmap(wanted, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == wanted;
}

}  // namespace

std::unique_ptr<NativeProcessor> NativeProcessor::create() {
  if (!map(kCodeAddress, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC)) return nullptr;
  if (!map(kDataAddress, kDataBytes, PROT_READ | PROT_WRITE)) {
    munmap(reinterpret_cast<void*>(kCodeAddress), kCodeBytes);
    return nullptr;
  }
  if (!map(kGateAddress, sizeof(Gate), PROT_READ | PROT_WRITE)) {
    munmap(reinterpret_cast<void*>(kCodeAddress), kCodeBytes);
    munmap(reinterpret_cast<void*>(kDataAddress), kDataBytes);
    return nullptr;
  }
  gate().leave = reinterpret_cast<const void*>(&pagoda_case_leave);
  gate().code = kCodeAddress + kCodeOffset;
  constexpr u32 kDefaultMxcsr = 0x1f80;
  std::memcpy(gate().fp_host + FpImage::kMxcsr, &kDefaultMxcsr, 4);
  std::memset(reinterpret_cast<void*>(kCodeAddress), kBreakpoint, kCodeBytes);
  CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, kGsBase) == 0);
  shared.stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(shared.stack != MAP_FAILED);
  const stack_t stack{.ss_sp = shared.stack, .ss_flags = 0, .ss_size = kStackBytes};
  CHECK(sigaltstack(&stack, nullptr) == 0);
  struct sigaction action{};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    CHECK(sigaction(kSignals[i], &action, &shared.old[i]) == 0);
  }
  return std::unique_ptr<NativeProcessor>(new NativeProcessor());
}

NativeProcessor::~NativeProcessor() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &shared.old[i], nullptr);
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  sigaltstack(&none, nullptr);
  munmap(shared.stack, kStackBytes);
  munmap(reinterpret_cast<void*>(kCodeAddress), kCodeBytes);
  munmap(reinterpret_cast<void*>(kGateAddress), sizeof(Gate));
  munmap(reinterpret_cast<void*>(kDataAddress), kDataBytes);
}

u8* NativeProcessor::data() { return reinterpret_cast<u8*>(kDataAddress); }

void NativeProcessor::run(const Case& from, Outcome& to) {
  u8* const code = reinterpret_cast<u8*>(kCodeAddress + kCodeOffset);
  // What jumps may land anywhere behind it: only breakpoints there.
  if (from.code_bytes != code_bytes_ || from.falls_through != falls_through_ ||
      std::memcmp(code, from.code.data(), from.code_bytes) != 0) {
    std::memset(code, kBreakpoint, kMaxCode + sizeof kLeave);
    std::memcpy(code, from.code.data(), from.code_bytes);
    if (from.falls_through) std::memcpy(code + from.code_bytes, kLeave, sizeof kLeave);
    code_bytes_ = from.code_bytes;
    falls_through_ = from.falls_through;
  }
  Gate& g = gate();
  std::memcpy(g.gpr_in, from.gpr, sizeof g.gpr_in);
  g.flags_in = (from.rflags & kUserFlags) | kInterrupt;
  store_fp(from.fp, g.fp_in);
  shared.trapped = false;
  shared.to = &to;
  pagoda_case_enter();
  shared.to = nullptr;
  if (shared.trapped) return;
  std::memcpy(to.gpr, g.gpr_out, sizeof to.gpr);
  to.rflags = g.flags_out & kUserFlags;
  to.pc = kCodeAddress + kCodeOffset + from.code_bytes;
  to.vector = Outcome::kRanOn;
  to.fault_address = 0;
  load_fp(g.fp_out, to.fp);
}

}  // namespace pagoda::x86_64
