// SPDX-License-Identifier: MIT
// Prefixes, opcode maps, ModRM and SIB, displacement, immediates.
#include "cpu/x86_64/decode.h"

#include <array>
#include <vector>

#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/x87.h"
#include "tcg/ir/vec.h"

namespace pagoda::x86_64 {
namespace {

using K = ir::VecOp;

const Row kRows[] = {
#define INSN(name, opcode, operands, traits, effect, feature, handler) \
  {name,                                                               \
   opcode,                                                             \
   operands,                                                           \
   effect,                                                             \
   static_cast<u16>(traits),                                           \
   Feature::feature,                                                   \
   parse_encoding(opcode),                                             \
   parse_operands(operands),                                           \
   op::handler,                                                        \
   #handler,                                                           \
   0},
#define VINSN(name, opcode, operands, traits, feature, handler, kind) \
  {name,                                                              \
   opcode,                                                            \
   operands,                                                          \
   "------",                                                          \
   static_cast<u16>(traits),                                          \
   Feature::feature,                                                  \
   parse_encoding(opcode),                                            \
   parse_operands(operands),                                          \
   op::handler,                                                       \
   #handler,                                                          \
   static_cast<u16>(kind)},
#include "cpu/x86_64/forms.def"
#undef INSN
#undef VINSN
};

// The rows of each opcode, in table order: rows[first[map][opcode]] up to the next opcode's.
struct Index {
  std::array<u16, kMapCount * 256 + 1> first{};
  std::vector<const Row*> rows;

  Index() {
    for (u32 key = 0; key < kMapCount * 256; ++key) {
      first[key] = static_cast<u16>(rows.size());
      for (const Row& row : kRows) {
        const u32 last_bits = row.encoding.register_in_opcode ? 7 : 0;
        if (key / 256 == static_cast<u32>(row.encoding.map) && (key & 0xff & ~last_bits) == row.encoding.opcode) {
          rows.push_back(&row);
        }
      }
    }
    first.back() = static_cast<u16>(rows.size());
  }
  std::span<const Row* const> of(Map map, u8 opcode) const {
    const u32 key = static_cast<u32>(map) * 256 + opcode;
    return std::span(rows).subspan(first[key], first[key + 1u] - first[key]);
  }
};
const Index& row_index() {
  static const Index index;
  return index;
}

class Decoder {
 public:
  Decoder(std::span<const u8> bytes, Features features, Insn& insn)
      : bytes_(bytes.subspan(0, std::min<std::size_t>(bytes.size(), kMaxInsnLength))),
        features_(features),
        insn_(insn) {}

  Decoded run() {
    insn_ = Insn{};
    prefixes();
    Map map = opcode_map();
    insn_.opcode = byte();
    if (short_ || undefined_) return failure();
    const auto candidates = row_index().of(map, insn_.opcode);
    if (candidates.empty()) return Decoded::undefined;
    if (candidates.front()->encoding.modrm) {
      modrm_ = byte();
      insn_.modrm = modrm_;
      if (short_) return failure();
    }
    for (const Row* row : candidates) {
      if (fits(*row)) {
        insn_.row = row;
        break;
      }
    }
    if (insn_.row == nullptr) return Decoded::undefined;
    operand_size();
    if (insn_.row->encoding.modrm && mod() != 3) memory();
    operands();
    if (short_) return failure();
    insn_.length = static_cast<u8>(at_);
    return take_lock() ? Decoded::ok : Decoded::undefined;
  }

 private:
  // What it means that the bytes ended, or that prefixes contradict.
  Decoded failure() const {
    if (!short_) return Decoded::undefined;
    return bytes_.size() == kMaxInsnLength ? Decoded::too_long : Decoded::truncated;
  }
  u8 byte() {
    if (at_ == bytes_.size()) {
      short_ = true;
      return 0;
    }
    return bytes_[at_++];
  }
  u64 little_endian(u32 size) {
    u64 value = 0;
    for (u32 i = 0; i < size; ++i) value |= u64{byte()} << (8 * i);
    return value;
  }
  i64 sign_extended(u32 size) {
    const u32 shift = 64 - 8 * size;
    return static_cast<i64>(little_endian(size) << shift) >> shift;
  }
  u32 mod() const { return modrm_ >> 6; }

  void prefixes() {
    for (;;) {
      const u8 next = byte();
      if (short_) return;
      switch (next) {
        case 0x66:
          has_66_ = true;
          break;
        case 0x67:
          insn_.memory.short_address = true;
          break;
        case 0xf0:
          insn_.lock = true;
          break;
        case 0xf2:
          insn_.repeat = Repeat::not_equal;
          break;
        case 0xf3:
          insn_.repeat = Repeat::equal;
          break;
        case 0x64:
          insn_.memory.segment = Segment::fs;
          break;
        case 0x65:
          insn_.memory.segment = Segment::gs;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:  // flat segments: nothing to override
          break;
        default:
          if ((next & 0xf0) == 0x40) {  // counts only right before the opcode
            rex_ = next;
            continue;
          }
          --at_;
          return;
      }
      rex_ = 0;
    }
  }

  Map opcode_map() {
    const u8 first = byte();
    if (short_) return Map::first;
    if (first == 0xc4 || first == 0xc5) return vex(first);
    if (first != 0x0f) {
      --at_;
      return Map::first;
    }
    const u8 second = byte();
    if (short_) return Map::first;
    if (second == 0x38) return Map::map_0f38;
    if (second == 0x3a) return Map::map_0f3a;
    --at_;
    return Map::map_0f;
  }

  // SDM volume 2, 2.3.5: the fields of a VEX prefix are those of REX, inverted, and the mandatory prefix.
  Map vex(u8 first) {
    if (rex_ != 0 || has_66_ || insn_.lock || insn_.repeat != Repeat::none) undefined_ = true;
    const u8 second = byte();
    u8 last = second;
    u32 map = 1;
    rex_ = static_cast<u8>(0x40 | (second & 0x80 ? 0 : 4));
    if (first == 0xc4) {
      map = second & 31;
      rex_ = static_cast<u8>(rex_ | (second & 0x40 ? 0 : 2) | (second & 0x20 ? 0 : 1));
      last = byte();
      rex_ = static_cast<u8>(rex_ | (last & 0x80 ? 8 : 0));
    }
    is_vex_ = true;
    vvvv_ = ~last >> 3 & 15;
    vex_l_ = (last & 4) != 0;
    constexpr Prefix kPrefixes[] = {Prefix::none, Prefix::p66, Prefix::f3, Prefix::f2};
    vex_prefix_ = kPrefixes[last & 3];
    if (map < 1 || map > 3) undefined_ = true;
    return map == 2 ? Map::vex_0f38 : map == 3 ? Map::vex_0f3a : Map::vex_0f;
  }

  bool has_prefix(Prefix wanted) const {
    if (is_vex_) return wanted == Prefix::any || wanted == vex_prefix_;
    switch (wanted) {
      case Prefix::any:
        return true;
      case Prefix::none:
        return !has_66_ && insn_.repeat == Repeat::none;
      case Prefix::p66:
        return has_66_ && insn_.repeat == Repeat::none;
      case Prefix::f3:
        return insn_.repeat == Repeat::equal;
      case Prefix::f2:
        return insn_.repeat == Repeat::not_equal;
      case Prefix::no_rep:
        return insn_.repeat == Repeat::none;
    }
    return false;
  }
  static bool is_wanted(Want want, bool value) { return want == Want::any || (want == Want::one) == value; }

  bool fits(const Row& row) const {
    const Encoding& e = row.encoding;
    if (!features_.has(row.feature) || !has_prefix(e.prefix)) return false;
    if (!is_wanted(e.w, (rex_ & 8) != 0) || !is_wanted(e.length, vex_l_)) return false;
    if (e.no_rex_b && (rex_ & 1) != 0) return false;
    if (e.modrm) {
      if (e.exact_modrm ? modrm_ != e.digit : e.digit != kNoDigit && (modrm_ >> 3 & 7) != e.digit) return false;
      if (row.specs.memory_only() ? mod() == 3 : row.specs.register_only() && mod() != 3) return false;
    }
    return !is_vex_ || vvvv_ == 0 || row.specs.has(Method::vvvv) || row.specs.has(Method::vector_vvvv);
  }

  void operand_size() {
    const Row& row = *insn_.row;
    if ((rex_ & 8) != 0 || row.has(kForced64)) {
      insn_.operand_size = 8;
    } else if (has_66_) {
      insn_.operand_size = 2;
    } else {
      insn_.operand_size = row.has(kDefault64) ? 8 : 4;
    }
  }

  // SDM volume 2, tables 2-2 and 2-3.
  void memory() {
    Memory& m = insn_.memory;
    const u32 base = modrm_ & 7;
    u32 displacement_bytes = mod() == 1 ? 1 : mod() == 2 ? 4 : 0;
    m.base = static_cast<u8>(base | (rex_ & 1) << 3);
    if (base == 4) {
      const u8 sib = byte();
      const u32 index = (sib >> 3 & 7) | (rex_ & 2) << 2;
      if (index != 4) {
        m.index = static_cast<u8>(index);
        m.scale = static_cast<u8>(1 << (sib >> 6));
      }
      m.base = static_cast<u8>((sib & 7) | (rex_ & 1) << 3);
      if ((sib & 7) == 5 && mod() == 0) {
        m.base = Memory::kNone;
        displacement_bytes = 4;
      }
    } else if (base == 5 && mod() == 0) {
      m.base = Memory::kRip;
      displacement_bytes = 4;
    }
    if (displacement_bytes != 0) m.displacement = sign_extended(displacement_bytes);
  }

  u8 bytes_of(Size size) const {
    switch (size) {
      case Size::b:
        return 1;
      case Size::w:
        return 2;
      case Size::d:
        return 4;
      case Size::q:
        return 8;
      case Size::o:
        return 16;
      case Size::v:
        return insn_.operand_size;
      case Size::y:
        return (rex_ & 8) != 0 ? 8 : 4;
      case Size::z:
        return insn_.operand_size == 2 ? 2 : 4;
      case Size::x:
        return vex_l_ ? 32 : 16;
      case Size::h:
        return vex_l_ ? 16 : 8;
      case Size::f:
        return vex_l_ ? 8 : 4;
      case Size::e:
        return vex_l_ ? 4 : 2;
      case Size::t:
        return 10;
      case Size::u:
        return kAreaSize;
      case Size::none:
        break;
    }
    return 0;
  }

  // Registers 4 to 7 of a byte are ah to bh, unless there is a REX prefix.
  void general_register(Operand& operand, u32 reg) const {
    operand.kind = OperandKind::gpr;
    operand.reg = static_cast<u8>(reg);
    if (operand.size == 1 && rex_ == 0 && reg >= 4) {
      operand.kind = OperandKind::high_byte;
      operand.reg = static_cast<u8>(reg - 4);
    }
  }

  u32 rm_register() const { return (modrm_ & 7) | (rex_ & 1) << 3; }
  // Otherwise the operand that ModRM's r/m names is memory.
  bool is_register_of_rm(Operand& operand) const {
    if (mod() != 3) operand.kind = OperandKind::memory;
    return mod() == 3;
  }

  static void vector_register(Operand& operand, u32 reg) {
    operand.kind = OperandKind::vector;
    operand.reg = static_cast<u8>(reg);
  }

  void immediate(Operand& operand, const OperandSpec& spec) {
    operand.kind = OperandKind::immediate;
    if (spec.method == Method::signed_byte || spec.size == Size::z) {
      const u32 read = spec.method == Method::signed_byte ? 1u : operand.size;
      operand.value = static_cast<u64>(sign_extended(read));
      operand.size = insn_.operand_size;
      if (operand.size < 8) operand.value &= (u64{1} << (8 * operand.size)) - 1;
    } else {
      operand.value = little_endian(operand.size);
    }
  }

  void operands() {
    const Row& row = *insn_.row;
    insn_.operand_count = row.specs.count;
    for (u32 i = 0; i < row.specs.count; ++i) {
      const OperandSpec& spec = row.specs.list[i];
      Operand& operand = insn_.operands[i];
      operand.size = bytes_of(spec.size);
      switch (spec.method) {
        case Method::rm:
        case Method::memory:
        case Method::rm_register:
          if (is_register_of_rm(operand)) general_register(operand, rm_register());
          break;
        case Method::reg:
          general_register(operand, (modrm_ >> 3 & 7) | (rex_ & 4) << 1);
          break;
        case Method::vvvv:
          general_register(operand, static_cast<u32>(vvvv_));
          break;
        case Method::opcode_register:
          general_register(operand, (insn_.opcode & 7) | (rex_ & 1) << 3);
          break;
        case Method::fixed_register:
          operand.kind = OperandKind::gpr;
          operand.reg = spec.fixed;
          break;
        case Method::one:
          operand.kind = OperandKind::immediate;
          operand.value = 1;
          break;
        case Method::immediate:
        case Method::signed_byte:
          immediate(operand, spec);
          break;
        case Method::relative:
          operand.kind = OperandKind::relative;
          operand.value = static_cast<u64>(sign_extended(spec.size == Size::b ? 1 : 4));
          break;
        case Method::offset:
          operand.kind = OperandKind::memory;
          insn_.memory.displacement = static_cast<i64>(little_endian(insn_.memory.short_address ? 4 : 8));
          break;
        case Method::source:
        case Method::destination:
          operand.kind = OperandKind::memory;
          break;
        case Method::vector_reg:
          vector_register(operand, (modrm_ >> 3 & 7) | (rex_ & 4) << 1);
          break;
        case Method::vector_rm:
        case Method::vector_register:
          if (is_register_of_rm(operand)) vector_register(operand, rm_register());
          break;
        case Method::vector_vvvv:
          vector_register(operand, static_cast<u32>(vvvv_));
          break;
        case Method::vector_immediate:
          vector_register(operand, byte() >> 4);
          break;
        case Method::rm_dword:
          if (is_register_of_rm(operand)) {
            operand.size = 4;
            general_register(operand, rm_register());
          }
          break;
        case Method::x87_register:
        case Method::x87_top:
          operand.kind = OperandKind::x87;
          operand.reg = static_cast<u8>(spec.method == Method::x87_top ? 0 : modrm_ & 7);
          break;
        case Method::none:
          break;
      }
    }
  }

  bool take_lock() const {
    const bool memory_first = insn_.operands[0].kind == OperandKind::memory;
    return !insn_.lock || (insn_.row->has(kLockable) && memory_first);
  }

  const std::span<const u8> bytes_;
  const Features features_;
  Insn& insn_;
  u32 at_ = 0;
  u8 rex_ = 0;
  u8 modrm_ = 0;
  i32 vvvv_ = 0;
  Prefix vex_prefix_ = Prefix::any;
  bool has_66_ = false, is_vex_ = false, vex_l_ = false;
  bool short_ = false, undefined_ = false;
};

}  // namespace

std::span<const Row> all_rows() { return kRows; }

Decoded decode(std::span<const u8> bytes, Features features, Insn& insn) {
  return Decoder(bytes, features, insn).run();
}

}  // namespace pagoda::x86_64
