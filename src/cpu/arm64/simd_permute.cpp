// SPDX-License-Identifier: MIT
// Permutation, structures in memory order (Arm ARM C4.1, "Advanced SIMD permute", C3.2.17).
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {

// Bits 14-12: 1 UZP, 2 TRN, 3 ZIP, of the odd elements or the upper half with 4 added.
void permute(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()];
  Vector result{};
  by_size(i.field(22, 2), [&]<class T>() {
    const u32 count = lanes<T>(i), second = i.bit(14);
    for (u32 k = 0; k < count; ++k) {
      const u32 odd = k & 1;
      switch (i.field(12, 2)) {
        case 1: {
          const u32 from = 2 * k + second;
          set_lane(result, k, from < count ? lane<T>(n, from) : lane<T>(m, from - count));
          break;
        }
        case 2:
          set_lane(result, k, lane<T>(odd != 0 ? m : n, (k & ~1u) + second));
          break;
        default:
          set_lane(result, k, lane<T>(odd != 0 ? m : n, k / 2 + (second != 0 ? count / 2 : 0)));
      }
    }
  });
  cpu.v[i.rd()] = result;
}

namespace {

// Registers of a structure, by opcode bits 15-12.
u32 registers_of(const Insn& i) {
  switch (i.field(12, 4)) {
    case 0b0000:
      return 4;
    case 0b0100:
      return 3;
    default:
      return 2;
  }
}

}  // namespace

// What was loaded into the registers one doubleword after another goes where its element belongs: element k of
// register r stands at k * registers + r.
void deinterleave(Cpu& cpu, const Insn& i) {
  const u32 registers = registers_of(i), per_register = i.bit(30) ? 2 : 1;
  u64 memory[8] = {};
  for (u32 k = 0; k < registers * per_register; ++k) {
    memory[k] = cpu.v[(i.rd() + k / per_register) & 31].half[k % per_register];
  }
  by_size(i.field(10, 2), [&]<class T>() {
    for (u32 r = 0; r < registers; ++r) {
      Vector result{};
      for (u32 k = 0; k < 8 * per_register / sizeof(T); ++k) {
        T value;
        std::memcpy(&value, reinterpret_cast<const u8*>(memory) + (k * registers + r) * sizeof(T), sizeof(T));
        set_lane(result, k, value);
      }
      cpu.v[(i.rd() + r) & 31] = result;
    }
  });
}

}  // namespace pagoda::arm64::simd
