// SPDX-License-Identifier: MIT
// Entering and leaving a case by way of signal frames.
#include "differential/x86_64_native.h"

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <csignal>
#include <cstring>

#include "base/check.h"

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

// The frame of a signal holds what xsave stores: the image of fxsave, from 512 on the header, at 576 the high halves of
// ymm (SDM volume 1, 13.4). What the header's first word does not name is in its initial state and not stored.
constexpr u32 kXsaveHeader = 512, kYmmHigh = 576, kAllStates = 7;

struct FpFrame {
  FpImage image;
  u64 states = 0;
  static u8* of(ucontext_t& context) { return reinterpret_cast<u8*>(context.uc_mcontext.fpregs); }
  void load(ucontext_t& context) {
    const u8* frame = of(context);
    std::memcpy(&states, frame + kXsaveHeader, 8);
    std::memcpy(image.fx.data(), frame, image.fx.size());
    std::memcpy(image.high.data(), frame + kYmmHigh, sizeof image.high);
    if ((states & 1) == 0) {
      std::memset(image.fx.data(), 0, FpImage::kMxcsr);
      std::memset(&image.fx[FpImage::kStack], 0, FpImage::kXmm - FpImage::kStack);
      image.set<u16>(FpImage::kControl, 0x37f);
    }
    if ((states & 2) == 0) std::memset(&image.fx[FpImage::kXmm], 0, image.fx.size() - FpImage::kXmm);
    if ((states & 4) == 0) std::memset(image.high.data(), 0, sizeof image.high);
  }
  void store(ucontext_t& context) const {
    u8* frame = of(context);
    const u64 all = states | kAllStates;
    u32 mask;  // of MXCSR: not ours
    std::memcpy(&mask, frame + FpImage::kMxcsr + 4, 4);
    std::memcpy(frame + kXsaveHeader, &all, 8);
    std::memcpy(frame, image.fx.data(), image.fx.size());
    std::memcpy(frame + FpImage::kMxcsr + 4, &mask, 4);
    std::memcpy(frame + kYmmHigh, image.high.data(), sizeof image.high);
  }
};

struct Shared {
  const Case* from = nullptr;  // null: no case is running or to be entered
  Outcome* to = nullptr;
  bool running = false;
  gregset_t before;
  FpFrame fp_before;
  struct sigaction old[std::size(kSignals)];
  void* stack = nullptr;
} shared;

void handle(int signal, siginfo_t*, void* raw) {
  auto& context = *static_cast<ucontext_t*>(raw);
  greg_t* registers = context.uc_mcontext.gregs;
  if (shared.from == nullptr) {  // not ours: happens again with the default action
    ::signal(signal, SIG_DFL);
    return;
  }
  if (!shared.running) {
    std::memcpy(shared.before, registers, sizeof shared.before);
    for (u32 i = 0; i < 16; ++i) registers[kRegisters[i]] = static_cast<greg_t>(shared.from->gpr[i]);
    registers[REG_EFL] = static_cast<greg_t>((shared.from->rflags & kUserFlags) | kInterrupt);
    registers[REG_RIP] = static_cast<greg_t>(kCodeAddress + kCodeOffset);
    shared.fp_before.load(context);
    FpFrame entry = shared.fp_before;
    entry.image = shared.from->fp;
    entry.store(context);
    shared.running = true;
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
  FpFrame exit;
  exit.load(context);
  to.fp = exit.image;
  shared.fp_before.store(context);
  std::memcpy(registers, shared.before, sizeof shared.before);
  shared.running = false;
  shared.from = nullptr;
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
  munmap(reinterpret_cast<void*>(kDataAddress), kDataBytes);
}

u8* NativeProcessor::data() { return reinterpret_cast<u8*>(kDataAddress); }

void NativeProcessor::run(const Case& from, Outcome& to) {
  u8* const code = reinterpret_cast<u8*>(kCodeAddress + kCodeOffset);
  std::memset(code, kBreakpoint, kMaxCode);
  std::memcpy(code, from.code.data(), from.code_bytes);
  shared.to = &to;
  shared.from = &from;
  asm volatile("int3" : : : "memory");  // back here when the case is over, with all registers as they were
  CHECK(shared.from == nullptr);
}

}  // namespace pagoda::x86_64
