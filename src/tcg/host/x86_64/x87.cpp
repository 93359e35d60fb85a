// SPDX-License-Identifier: MIT
// One function an encoding, because neither opcode nor ModRM byte can be an operand.
#include "tcg/host/x86_64/x87.h"

#include <array>
#include <cstring>
#include <utility>

namespace pagoda {
namespace {

using OnRegisters = void (*)(X87State*, X87Registers*);
using OnMemory = void (*)(X87State*, void*);

// Pending exceptions are cleared first: only waiting instructions would look at them, and those do not get here. fnsave
// waits for nothing and leaves the unit as after fninit, which is the host's own state.
template <u32 kEncoding>
void on_registers(X87State* state, X87Registers* registers) {
  u64 rax = u64{registers->flags} << 8;
  // ax is input for flags, and output for fnstsw ax alone.
  asm volatile(
      "frstor %[state]\n\t"
      "sahf\n\t"
      ".byte %c[opcode], %c[modrm]\n\t"
      "movzwl %%ax, %%edx\n\t"
      "lahf\n\t"
      "fnsave %[state]"
      : [state] "+m"(*state), "+a"(rax), "=&d"(registers->ax)
      : [opcode] "i"(0xd8 + kEncoding / 64), [modrm] "i"(0xc0 + kEncoding % 64)
      : "cc", "memory");
  registers->flags = static_cast<u8>(rax >> 8);
}

template <u32 kEncoding>
void on_memory(X87State* state, void* memory) {
  asm volatile(
      "frstor %[state]\n\t"
      ".byte %c[opcode], %c[modrm]\n\t"
      "fnsave %[state]"
      : [state] "+m"(*state)
      : [opcode] "i"(0xd8 + kEncoding / 8), [modrm] "i"(kEncoding % 8 * 8), "a"(memory)
      : "memory");
}

template <u32... k>
constexpr std::array<OnRegisters, sizeof...(k)> all_on_registers(std::integer_sequence<u32, k...>) {
  return {on_registers<k>...};
}
template <u32... k>
constexpr std::array<OnMemory, sizeof...(k)> all_on_memory(std::integer_sequence<u32, k...>) {
  return {on_memory<k>...};
}
constexpr auto kOnRegisters = all_on_registers(std::make_integer_sequence<u32, 512>{});
constexpr auto kOnMemory = all_on_memory(std::make_integer_sequence<u32, 64>{});

void forget_pointers(X87State& state) {
  std::memset(state.pointers, 0, sizeof state.pointers);
  state.reserved1 = state.reserved2 = state.reserved3 = 0xffff;
}

}  // namespace

void x87_execute(X87State& state, X87Registers& registers, u8 opcode, u8 modrm) {
  kOnRegisters[(opcode - 0xd8u) * 64 + (modrm - 0xc0u)](&state, &registers);
  forget_pointers(state);
}

void x87_execute_memory(X87State& state, u8 opcode, u8 digit, void* memory) {
  kOnMemory[(opcode - 0xd8u) * 8 + digit](&state, memory);
  forget_pointers(state);
}

}  // namespace pagoda
