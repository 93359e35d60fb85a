// SPDX-License-Identifier: MIT
// A supervisor on the built-in firmware: firmware features (SBI FWFT). Hart 0 chooses, locks and is refused; stopped
// and started again it has everything as at first. Ends with status 0, or with the number of the check that failed.
// Needs -cpu with both svade and svadu, and -smp 2.
namespace {

using u32 = unsigned;
using u64 = unsigned long;
using i64 = long;

constexpr u64 kHsm = 0x48534d, kFwft = 0x46574654;
constexpr u64 kDelegation = 0, kUpdates = 4;
constexpr i64 kNotSupported = -2, kInvalid = -3, kDenied = -4, kDeniedLocked = -14;

struct Answer {
  i64 error, value;
};

Answer sbi(u64 extension, u64 function, u64 first = 0, u64 second = 0, u64 third = 0) {
  register u64 a0 asm("a0") = first;
  register u64 a1 asm("a1") = second;
  register u64 a2 asm("a2") = third;
  register u64 a6 asm("a6") = function;
  register u64 a7 asm("a7") = extension;
  asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
  return {static_cast<i64>(a0), static_cast<i64>(a1)};
}

i64 set(u64 feature, u64 value, u64 flags = 0) { return sbi(kFwft, 0, feature, value, flags).error; }
bool reads(u64 feature, i64 value) {
  const Answer answer = sbi(kFwft, 1, feature);
  return answer.error == 0 && answer.value == value;
}

[[noreturn]] void end(u32 failed_check) {
  *reinterpret_cast<volatile u32*>(0x100000) = failed_check == 0 ? 0x5555 : failed_check << 16 | 0x3333;
  for (;;) asm volatile("wfi");
}

volatile u32 rounds;
u64 first_hart;

}  // namespace

extern "C" [[noreturn]] void supervisor(u64 hart);
extern "C" [[noreturn]] void _start();

// The harts that this program starts are given their stack's end as a1; the first one has the device tree there.
asm(R"(
  .text
  .globl _start, other_start, again_start, first_stack, second_stack
_start:
  lla sp, first_stack
  j supervisor
other_start:
  mv sp, a1
  j other
again_start:
  mv sp, a1
  j supervisor
  .bss
  .balign 16
  .skip 4096
first_stack:
  .skip 4096
second_stack:
)");
extern "C" char other_start[], again_start[], first_stack[], second_stack[];

// The second hart: starts the first one again, which has stopped itself.
extern "C" [[noreturn]] void other(u64) {
  if (!reads(kDelegation, 1)) end(20);  // features are each hart's own
  while (sbi(kHsm, 2, first_hart).value != 1) {
  }
  if (sbi(kHsm, 0, first_hart, reinterpret_cast<u64>(again_start), reinterpret_cast<u64>(first_stack)).error != 0)
    end(21);
  for (;;) asm volatile("wfi");
}

extern "C" [[noreturn]] void supervisor(u64 hart) {
  u32 check = 0;
  const auto expect = [&](bool good) {
    ++check;
    if (!good) end(check);
  };
  expect(sbi(0x10, 3, kFwft).value == 1);
  expect(sbi(kFwft, 2).error == kNotSupported);
  expect(set(6, 1) == kDenied && sbi(kFwft, 1, 0xbfffffff).error == kDenied && set(0x4000'0000, 0) == kDenied);
  expect(set(1, 1) == kNotSupported && sbi(kFwft, 1, 3).error == kNotSupported);
  expect(reads(kDelegation, 1) && reads(kUpdates, 0));
  expect(set(kDelegation, 2) == kInvalid && set(kUpdates, 1, 2) == kInvalid && set(kUpdates, 1ul << 32) == kInvalid);
  expect(set(kUpdates, 1) == 0 && reads(kUpdates, 1) && reads(kDelegation, 1));
  expect(set(kUpdates | 1ul << 32, 0) == 0 && reads(kUpdates, 0));
  expect(set(kDelegation, 0, 1) == 0 && reads(kDelegation, 0));
  expect(set(kDelegation, 1) == kDeniedLocked && reads(kDelegation, 0) && set(kUpdates, 1) == 0);
  rounds = rounds + 1;
  if (rounds == 2) end(0);
  first_hart = hart;
  const u64 second = hart == 0 ? 1 : 0;
  expect(sbi(kHsm, 0, second, reinterpret_cast<u64>(other_start), reinterpret_cast<u64>(second_stack)).error == 0);
  sbi(kHsm, 1);
  end(30);
}
