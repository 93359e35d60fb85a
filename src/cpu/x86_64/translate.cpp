// SPDX-License-Identifier: MIT
// The block loop, and what all handlers share: operands, addresses, ways out.
#include "cpu/x86_64/translate.h"

#include <bit>

#include "base/check.h"
#include "base/log.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64 {

using ir::Type;
using ir::Value;

void Translator::set_gpr(u32 reg, Value value) {
  const u32 slot = gpr_slot(reg);
  const Value wide = b.zext(value, Type::i64);
  if (width_of(value) >= 32) return b.put_slot(slot, wide);
  const Value kept = b.and_(b.get_slot(slot), b.i64(~ir::type_mask(value.type)));
  b.put_slot(slot, b.or_(kept, wide));
}

void Translator::set_high_byte(u32 reg, Value value) {
  const u32 slot = gpr_slot(reg);
  const Value kept = b.and_(b.get_slot(slot), b.i64(~u64{0xff00}));
  b.put_slot(slot, b.or_(kept, b.shl(b.zext(value, Type::i64), b.i64(8))));
}

Value Translator::read(const Insn& i, u32 number) {
  const Operand& operand = i.operands[number];
  switch (operand.kind) {
    case OperandKind::gpr:
      return gpr(operand.reg, operand.size);
    case OperandKind::high_byte:
      return b.trunc(b.shr(gpr64(operand.reg), b.i64(8)), Type::i8);
    case OperandKind::memory:
      return load(int_type(operand.size), address(i));
    case OperandKind::immediate:
      return b.constant(int_type(operand.size), operand.value);
    case OperandKind::relative:
    case OperandKind::vector:
    case OperandKind::x87:
    case OperandKind::none:
      break;
  }
  CHECK(false, "{}: operand {} is no value", i.row->name, number);
}

void Translator::write(const Insn& i, u32 number, Value value) {
  const Operand& operand = i.operands[number];
  DCHECK(width_of(value) == 8u * operand.size, "{}", i.row->name);
  if (operand.kind == OperandKind::memory) {
    store(address(i), value);
  } else if (operand.kind == OperandKind::high_byte) {
    set_high_byte(operand.reg, value);
  } else {
    set_gpr(operand.reg, value);
  }
}

Value Translator::offset_of(const Insn& i, u32 rsp_offset) {
  const Memory& m = i.memory;
  Value sum = b.i64(static_cast<u64>(m.displacement));
  if (m.base == Memory::kRip) {
    sum = b.pc(static_cast<u64>(next_offset() + m.displacement));
  } else {
    Value registers{};
    if (m.base != Memory::kNone) {
      registers = gpr64(m.base);
      if (m.base == kRsp && rsp_offset != 0) registers = b.add(registers, b.i64(rsp_offset));
    }
    if (m.index != Memory::kNone) {
      const Value scaled = b.shl(gpr64(m.index), b.i64(static_cast<u64>(std::countr_zero(m.scale))));
      registers = registers ? b.add(scaled, registers) : scaled;
    }
    if (registers) sum = b.add(registers, sum);
  }
  return shorten(i, sum);
}

Value Translator::shorten(const Insn& i, Value offset) {
  return i.memory.short_address ? b.zext(b.trunc(offset, Type::i32), Type::i64) : offset;
}

Value Translator::segment_base(const Insn& i) {
  switch (i.memory.segment) {
    case Segment::fs:
      return slot(Slot::fs_base);
    case Segment::gs:
      return slot(Slot::gs_base);
    case Segment::none:
      break;
  }
  return b.i64(0);
}

Value Translator::linear(const Insn& i, Value offset) {
  return i.memory.segment == Segment::none ? offset : b.add(segment_base(i), offset);
}

Value Translator::address(const Insn& i, u32 rsp_offset) {
  if (!address_) address_ = linear(i, offset_of(i, rsp_offset));
  return address_;
}

Value Translator::stack(i64 bytes) {
  const Value rsp = gpr64(kRsp);
  if (top_.rsp != rsp.id) top_ = {.rsp = rsp.id, .base = rsp, .offset = 0};
  return b.add(top_.base, b.i64(static_cast<u64>(top_.offset + bytes)));
}

void Translator::move_stack(i64 bytes) {
  const Value rsp = stack(bytes);
  top_.rsp = rsp.id;
  top_.offset += bytes;
  set_slot(Slot::rsp, rsp);
}

ir::MemOp Translator::access(u32 bytes, ir::Order order) {
  return {.size_log2 = static_cast<u8>(std::countr_zero(bytes)), .order = order};
}

Value Translator::load_extended(Type type, Value address, u32 bytes, bool sign) {
  ir::MemOp op = access(bytes);
  op.sign = sign;
  return b.load(type, address, op);
}

void Translator::store(Value address, Value value) { b.store(address, value, access(ir::type_bytes(value.type))); }

void Translator::raise(Vector vector, Value value) {
  call(HelperId::raise, Type::none, static_cast<u64>(vector), value);
  b.exit(ir::Exit::exception, offset());
}

void Translator::instruction(const Insn& insn, u64 offset) {
  b.insn(offset, insn.length);
  address_ = {};
  insn.row->handler(*this, insn);
}

void Translator::undefined(Vector vector, u32 length, u64 offset) {
  b.insn(offset, length);
  raise(vector);
}

void translate_block(ir::Builder& builder, const TranslateRequest& request) {
  Translator translator(builder);
  const std::span<const u8> code(request.code.bytes, request.code.size);
  u32 offset = 0;
  for (u32 count = 0; count < request.max_insns && !builder.ended(); ++count) {
    const auto rest = code.subspan(offset);
    Insn insn;
    const Decoded decoded = decode(rest, Features{request.features}, insn);
    if (decoded == Decoded::truncated) break;
    if (decoded == Decoded::ok) {
      translator.instruction(insn, offset);
      offset += insn.length;
    } else {
      if (decoded == Decoded::undefined) {
        log(Log::unimplemented, "x86_64: no instruction at {:#x}: {:02x} ...", request.code.pc + offset, rest[0]);
      }
      // How long it would be does not matter: it does not happen.
      translator.undefined(decoded == Decoded::undefined ? Vector::invalid_opcode : Vector::general_protection, 1,
                           offset);
      offset += 1;
    }
  }
  CHECK(offset != 0, "no whole instruction in a window of {} bytes from {:#x}", code.size(), request.code.pc);
  if (!builder.ended()) builder.jump(offset);
}

}  // namespace pagoda::x86_64
