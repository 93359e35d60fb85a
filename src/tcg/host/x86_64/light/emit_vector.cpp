// SPDX-License-Identifier: MIT
// Vectors: one host instruction for a lane operation, 16- and 32-byte loads and stores, wide moves and logic.
//
// Operands come from the frame and results go there. The SSE forms are used, or the VEX forms of the same length where
// the host has AVX: nothing here leaves anything in the upper halves.
#include <array>

#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/ir/types.h"
#include "tcg/ir/vec.h"

namespace pagoda::light {
namespace {

using asmjit::CpuFeatures;
using ir::VecOp;

enum class Shape : u8 {
  none,
  rr,
  rri,
  rxi,
  ub,
  ubi,
  pred,
  u,
  ui,
  ui2,
  hi,
  m3,
  f3,
  v3,
  rmi8,
  rmi16,
  rmi32,
  rmi64,
  rm32,
  rm64,
  g32,
  g64,
  ga,
  cmp,
  px,
  pu,
  p3,
  pm
};

struct HostInst {
  Shape shape = Shape::none;
  u32 feature = 0;
  asmjit::InstId id = 0, vex = 0;
};

// By VecOp.
const std::array<HostInst, ir::kVecOps>& host_instructions() {
  static const auto table = [] {
    std::array<HostInst, ir::kVecOps> result{};
    const auto id_of = [](const std::string& name) {
      return asmjit::InstAPI::stringToInstId(asmjit::Arch::kX64, name.data(), name.size());
    };
    const auto add = [&](VecOp kind, const char* name, Shape shape, u32 feature) {
      result[static_cast<u32>(kind)] = {shape, feature, id_of(name), id_of(std::string("v") + name)};
    };
#define HOST_VEC(kind, mnemonic, shape, feature) add(VecOp::kind, mnemonic, Shape::shape, CpuFeatures::X86::k##feature);
#define HOST_FP(kind, mnemonic, shape, feature) HOST_VEC(kind, mnemonic, shape, feature)
#include "tcg/host/x86_64/vec_insts.def"
    return result;
  }();
  return table;
}

constexpr i32 kWideBuffer = offsetof(VcpuFrame, temps) + 8 * (kFrameTemps - 4);

}  // namespace

bool Compiler::Work::emit_lanes() {
  HostInst inst = host_instructions()[op->imm & 0xffff];
  if (inst.shape == Shape::none || !can.has(inst.feature)) return false;
  if (!can.has(CpuFeatures::X86::kAVX)) inst.vex = 0;
  const u32 imm = static_cast<u32>(op->imm >> 16);
  const x86::Xmm x = x86::xmm0, y = x86::xmm1;
  const auto get = [this](x86::Xmm to, u16 place) { a.movups(to, at(place, 16)); };
  const auto emit_inst = [this](asmjit::InstId id, auto&&... operands) { a.emit(id, operands...); };
  switch (inst.shape) {
    case Shape::none:
      return false;
    case Shape::rr:
    case Shape::rri:
    case Shape::pred: {
      const u32 predicate = imm & 31;
      if (inst.vex != 0) {
        a.vmovups(x, at(op->a, 16));
        if (inst.shape == Shape::rr) {
          emit_inst(inst.vex, x, x, at(op->b, 0));
        } else {
          emit_inst(inst.vex, x, x, at(op->b, 0), asmjit::Imm(inst.shape == Shape::pred ? predicate : imm));
        }
        break;
      }
      if (inst.shape == Shape::pred && predicate > 7) return false;
      get(x, op->a);
      get(y, op->b);
      if (inst.shape == Shape::rr) {
        emit_inst(inst.id, x, y);
      } else {
        emit_inst(inst.id, x, y, asmjit::Imm(inst.shape == Shape::pred ? predicate : imm));
      }
      break;
    }
    case Shape::ub:
    case Shape::ubi:
    case Shape::rxi:
      get(x, op->a);
      get(y, op->b);
      if (inst.shape == Shape::ub) {
        emit_inst(inst.id, x, y);
      } else {
        emit_inst(inst.id, x, y, asmjit::Imm(inst.shape == Shape::ubi ? imm & 15 : imm));
      }
      break;
    case Shape::u:
      get(y, op->a);
      emit_inst(inst.id, x, y);
      break;
    case Shape::ui:
      get(x, op->a);
      emit_inst(inst.id, x, asmjit::Imm(imm));
      break;
    case Shape::ui2:
    case Shape::hi:
      get(y, op->a);
      emit_inst(inst.id, x, y, asmjit::Imm(inst.shape == Shape::hi ? imm & 7 : imm));
      break;
    case Shape::m3:
      get(x, op->c);
      get(y, op->a);
      get(x86::xmm2, op->b);
      emit_inst(inst.id, y, x86::xmm2, x);
      a.movups(at(op->d, 16), y);
      return true;
    case Shape::f3:
      get(x, op->b);
      get(y, op->a);
      get(x86::xmm2, op->c);
      emit_inst(inst.id, x, y, x86::xmm2);
      break;
    case Shape::v3:
      get(x, op->a);
      get(y, op->b);
      emit_inst(inst.id, x, x, y);
      break;
    case Shape::rmi8:
    case Shape::rmi16:
    case Shape::rmi32:
    case Shape::rmi64: {
      const u32 log2 = static_cast<u32>(inst.shape) - static_cast<u32>(Shape::rmi8);
      get(x, op->a);
      emit_inst(inst.id, x, at(op->b, 1u << log2), asmjit::Imm(imm & (15u >> log2)));
      break;
    }
    case Shape::rm32:
    case Shape::rm64:
      get(x, op->a);
      emit_inst(inst.id, x, at(op->b, inst.shape == Shape::rm32 ? 4 : 8));
      break;
    case Shape::g32:
    case Shape::g64:
    case Shape::ga:
      get(y, inst.shape == Shape::ga ? op->a : op->b);
      if (inst.shape == Shape::g64) {
        emit_inst(inst.id, x86::rax, y);
      } else {
        emit_inst(inst.id, x86::eax, y);
      }
      write_integer();
      return true;
    case Shape::px:
      get(x, op->a);
      if (inst.vex != 0) {
        emit_inst(inst.vex, x, x, at(op->b, 0));
      } else {
        get(y, op->b);
        emit_inst(inst.id, x, y);
      }
      return finish_propagating();
    case Shape::pu:
      get(y, op->a);
      emit_inst(inst.id, x, y);
      return finish_propagating();
    case Shape::p3:
      get(x, op->b);
      get(y, op->a);
      emit_inst(inst.id, x, y, at(op->c, 0));
      return finish_propagating();
    case Shape::pm:
      choose(inst.id);
      return true;
    case Shape::cmp: {
      constexpr u32 flags = ir::flag_mask(ir::Flag::z) | ir::kFlagsC | ir::flag_mask(ir::Flag::p);
      get(x, op->a);
      get(y, op->b);
      emit_inst(inst.id, x, y);
      a.lahf();
      a.movzx(x86::eax, x86::ah);
      a.and_(x86::eax, flags);
      write_integer();
      return true;
    }
  }
  a.movups(at(op->d, 16), x);
  return true;
}

// The smaller or greater numbers. The host takes the second of two zeros: both orders are asked, and -0 comes of an OR,
// 0 of an AND. Comparing first keeps quiet NaNs from the instruction, for which they would be invalid.
void Compiler::Work::choose(u32 instruction) {
  const asmjit::Label special = a.newLabel(), end = a.newLabel();
  const x86::Xmm x = x86::xmm0, y = x86::xmm1, other = x86::xmm2;
  const u32 kind = (static_cast<u32>(op->imm) & 0xffff) - static_cast<u32>(VecOp::pmin_ps);
  const bool is_double = (kind & 1) != 0, is_scalar = kind % 4 >= 2, is_max = kind / 4 % 2 == 1;
  a.movups(x, at(op->a, 16));
  a.movups(y, at(op->b, 16));
  a.movaps(other, y);
  if (is_scalar) {
    is_double ? a.ucomisd(x, y) : a.ucomiss(x, y);
    a.jp(special);
  } else {
    is_double ? a.cmppd(other, x, 3) : a.cmpps(other, x, 3);
    a.movmskps(x86::eax, other);
    a.movaps(other, y);
    a.test(x86::eax, x86::eax);
    a.jnz(special);
  }
  a.emit(instruction, other, x);
  a.emit(instruction, x, y);
  is_max ? a.andps(x, other) : a.orps(x, other);
  if (is_scalar) {
    is_double ? a.movq(x86::rax, x) : a.movd(x86::eax, x);
    write_integer();
  } else {
    a.movups(at(op->d, 16), x);
  }
  a.bind(end);
  cold_step(special, end);
}

// xmm0 is the result, unless a lane is a NaN or the smallest normal number: then tier 0 does it again.
bool Compiler::Work::finish_propagating() {
  const asmjit::Label special = a.newLabel(), end = a.newLabel();
  const x86::Xmm x = x86::xmm0, unordered = x86::xmm1, least = x86::xmm2, number = x86::xmm3;
  // Kinds come in fours: ps pd ss sd.
  const u32 form = ((static_cast<u32>(op->imm) & 0xffff) - static_cast<u32>(VecOp::padd_ps)) % 4;
  const bool is_double = (form & 1) != 0;
  if (form >= 2) {
    is_double ? a.ucomisd(x, x) : a.ucomiss(x, x);
    a.jp(special);
    is_double ? a.movq(x86::rax, x) : a.movd(x86::eax, x);
    if (is_double) {
      a.lea(x86::rcx, x86::ptr(x86::rax, x86::rax));
      a.ror(x86::rcx, 53);
      a.cmp(x86::rcx, 1);
    } else {
      a.lea(x86::ecx, x86::ptr(x86::rax, x86::rax));
      a.cmp(x86::ecx, 0x0100'0000);
    }
    a.je(special);
    write_integer();
  } else {
    a.movaps(unordered, x);
    a.movaps(least, x);
    a.pcmpeqd(number, number);
    if (is_double) {
      a.cmppd(unordered, unordered, 3);
      a.psllq(least, 1);
      a.psrlq(number, 63);
      a.psllq(number, 53);
      a.pcmpeqq(least, number);
    } else {
      a.cmpps(unordered, unordered, 3);
      a.pslld(least, 1);
      a.psrld(number, 31);
      a.pslld(number, 24);
      a.pcmpeqd(least, number);
    }
    a.por(unordered, least);
    is_double ? a.movmskpd(x86::eax, unordered) : a.movmskps(x86::eax, unordered);
    a.test(x86::eax, x86::eax);
    a.jnz(special);
    a.movups(at(op->d, 16), x);
  }
  a.bind(end);
  cold_step(special, end);
  return true;
}

// rax becomes the low doubleword of the result.
void Compiler::Work::write_integer() {
  a.mov(at(op->d, 8), x86::rax);
  a.mov(at(static_cast<std::size_t>(op->d) + 8, 8), 0);
}

void Compiler::Work::move_wide(u16 to, u16 from, u32 bytes) {
  for (u32 i = 0; i < bytes; i += 16) {
    a.movups(x86::Xmm(i / 16), at(from + i, 16));
    a.movups(at(to + i, 16), x86::Xmm(i / 16));
  }
}

void Compiler::Work::wide_access(bool write) {
  const ThreadedOp& step = *op;
  const ir::MemOp access = ir::MemOp::unpack(write ? step.d : step.b);
  const u32 size = access.size();
  const std::size_t tag = write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel();
  const bool inline_access = access.mode == 0 && !access.big_endian && !(access.align && size > 16);
  const x86::Gp address = address_of(step.a, step.imm);
  if (!inline_access) {
    a.jmp(slow);
  } else {
    if (access.align) {
      check_tlb(address, size, tag, slow, found);
    } else {  // the place of the page with the first byte, the tag of the one with the last
      a.mov(x86::ecx, address.r32());
      a.shr(x86::ecx, kTlbPageBits - 5);
      a.lea(x86::rdx, x86::ptr(address, static_cast<i32>(size - 1)));
      finish_check(1, tag, slow, found);
    }
    const auto place = static_cast<std::size_t>(write ? step.b : step.d);
    for (u32 i = 0; i < size; i += 16) {
      const x86::Mem memory = x86::ptr(address, x86::rcx, 0, static_cast<i32>(i), 16);
      if (write) {
        a.movups(x86::xmm0, at(place + i, 16));
        a.movups(memory, x86::xmm0);
      } else {
        a.movups(x86::Xmm(i / 16), memory);
        if (i + 16 == size) {  // the result may be where the address came from
          for (u32 k = 0; k < size; k += 16) a.movups(at(place + k, 16), x86::Xmm(k / 16));
        }
      }
    }
  }
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([=, this, &step] {
    op = &step;
    insn = index;
    a.bind(slow);
    if (inline_access) {
      probe(tag, found);
    }
    if (address.id() != x86::rax.id()) a.mov(x86::rax, address);
    a.lea(x86::rcx, at(write ? step.b : static_cast<std::size_t>(kWideBuffer), 8));
    a.mov(at(offsetof(VcpuFrame, call_args), 8), x86::rcx);
    a.mov(x86::ecx, access.pack());
    a.mov(x86::edx, where);
    call_stub(write ? stubs.store_wide : stubs.load_wide);
    const asmjit::Label odd = a.newLabel(), special = a.newLabel();
    a.jne(write ? special : odd);
    if (!write) move_wide(step.d, kWideBuffer, size);
    a.jmp(end);
    if (!write) {  // to be left behind the instruction: with the result
      a.bind(odd);
      a.cmp(at(offsetof(VcpuFrame, fault), 4), 0);
      a.jne(special);
      move_wide(step.d, kWideBuffer, size);
      a.mov(x86::rax, at(step.d, 8));
    }
    a.bind(special);
    finish_insn(step);
  });
}

bool Compiler::Work::emit_vector(Handler handler) {
  switch (handler) {
    case Handler::vec:
      return emit_lanes();
    case Handler::mov_16:
    case Handler::mov_32:
      move_wide(op->d, op->a, handler == Handler::mov_16 ? 16 : 32);
      return true;
    case Handler::select_16: {
      a.lea(x86::rax, at(op->b, 8));
      a.lea(x86::rcx, at(op->c, 8));
      const x86::Gp condition = read32(op->a, x86::rdx);
      a.test(condition.r8(), condition.r8());
      a.cmove(x86::rax, x86::rcx);
      a.movups(x86::xmm0, x86::ptr(x86::rax));
      a.movups(at(op->d, 16), x86::xmm0);
      return true;
    }
    case Handler::and_wide:
    case Handler::or_wide:
    case Handler::xor_wide:
      for (u32 i = 0; i < op->c; i += 16) {
        a.movups(x86::xmm0, at(op->a + i, 16));
        a.movups(x86::xmm1, at(op->b + i, 16));
        if (handler == Handler::and_wide) {
          a.andps(x86::xmm0, x86::xmm1);
        } else if (handler == Handler::or_wide) {
          a.orps(x86::xmm0, x86::xmm1);
        } else {
          a.xorps(x86::xmm0, x86::xmm1);
        }
        a.movups(at(op->d + i, 16), x86::xmm0);
      }
      return true;
    case Handler::not_wide:
      for (u32 i = 0; i < op->c; i += 16) {
        a.movups(x86::xmm0, at(op->a + i, 16));
        a.pcmpeqd(x86::xmm1, x86::xmm1);
        a.pxor(x86::xmm0, x86::xmm1);
        a.movups(at(op->d + i, 16), x86::xmm0);
      }
      return true;
    case Handler::load_wide:
      wide_access(false);
      return true;
    case Handler::store_wide:
      wide_access(true);
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::light
