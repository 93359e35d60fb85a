// SPDX-License-Identifier: MIT
// Lines of IR, driven by the op table as the printer is.
#include "tcg/ir/parser.h"

#include <iterator>
#include <unordered_map>

#include "tcg/ir/line_reader.h"
#include "tcg/ir/printer.h"

namespace pagoda::ir {
namespace {

class Parser : LineReader {
 public:
  Parser(SlotTable slots, HelperTable helpers) : slots_(slots), helpers_(helpers) {
    for (u32 i = 0; i < kOpCount; ++i) ops_.emplace(op_text(static_cast<Op>(i)), static_cast<Op>(i));
  }

  Result<Block> run(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      begin_line(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (at_end()) continue;
      TRY(one_line());
      skip_blanks();
      if (!at_end()) return error("unexpected '{}'", rest());
    }
    return std::move(block_);
  }

 private:
  Result<ValueId> operand() {
    TRY_ASSIGN(const u32 number, value_number());
    const auto it = values_.find(number);
    if (it == values_.end()) return error("v{} is not defined", number);
    skip(peek_word());
    return it->second;
  }

  // --- lines
  Result<> one_line() {
    if (block_.terminal.kind != Terminal::Kind::none) return error("a line after the terminal");
    if (block_.insts.empty() && !block_.restartable && accept_word("restartable")) {
      block_.restartable = true;
      return {};
    }
    if (block_.insts.size() >= 0xffff) return error("too many instructions");
    const std::string_view word = peek_word();
    if (word == "jump" || word == "branch" || word == "jump_indirect" || word == "exit") return terminal();
    return instruction();
  }

  Result<> instruction() {
    constexpr u32 kUnnamed = ~0u;
    u32 name = kUnnamed;
    const size_t name_at = position();
    // `v` and digits is a value only if '=' follows: an op may have such a name.
    if (const auto number = value_number()) {
      skip(peek_word());
      if (accept('='))
        name = *number;
      else
        go_to(name_at);
    }
    if (name != kUnnamed && values_.contains(name)) {
      go_to(name_at);
      return error("v{} is defined already", name);
    }
    const std::string_view op_word = peek_word();
    const auto it = ops_.find(op_word);
    if (it == ops_.end()) return error("'{}' is no op", op_word);
    const size_t op_at = position();
    skip(op_word);
    Inst inst;
    inst.op = it->second;
    if (accept_here('.')) {
      TRY_ASSIGN(inst.type, type());
    } else if (!contains(op_info(inst.op).types, Type::none) && op_info(inst.op).aux != Aux::Helper) {
      return error("expected '.' and a type");
    }
    const bool gives_value = result_type(inst.op, inst.type) != Type::none;
    if (gives_value != (name != kUnnamed)) {
      go_to(op_at);
      return error("{} gives {} value", op_word, gives_value ? "a" : "no");
    }
    TRY(items(inst));
    if (gives_value) values_.emplace(name, static_cast<ValueId>(block_.insts.size()));
    block_.insts.push_back(inst);
    return {};
  }

  Result<Type> type() {
    const std::string_view word = peek_word();
    for (u32 i = 1; i < kTypeCount; ++i) {
      if (word == type_name(static_cast<Type>(i))) {
        skip(word);
        return static_cast<Type>(i);
      }
    }
    return error("'{}' is no type", word);
  }

  // Operands and payload by the op's row.
  Result<> items(Inst& inst) {
    const OpInfo& info = op_info(inst.op);
    bool first = true;
    const auto separator = [&]() -> Result<> {
      if (!first) return expect(',');
      first = false;
      return {};
    };
    if (info.aux == Aux::Marker) return marker(inst);
    if (info.aux == Aux::Slot || info.aux == Aux::Helper) {
      first = false;
      TRY_ASSIGN(inst.extra, info.aux == Aux::Slot ? slot() : helper());
    }
    if (info.aux == Aux::Helper) {
      for (u32 i = 0; i < info.operand_count() && accept(','); ++i) {
        if (accept_word("_")) continue;
        TRY_ASSIGN(inst.args[i], operand());
      }
    } else {
      for (u32 i = 0; i < info.operand_count(); ++i) {
        TRY(separator());
        TRY_ASSIGN(inst.args[i], operand());
      }
    }
    if (info.aux == Aux::Imm) {
      TRY(separator());
      TRY_ASSIGN(inst.imm, number());
    } else if (info.aux == Aux::Offset) {
      TRY(separator());
      TRY_ASSIGN(const i64 value, offset());
      inst.imm = static_cast<u64>(value);
    }
    return payload(inst);
  }

  Result<> marker(Inst& inst) {
    TRY_ASSIGN(const i64 value, offset());
    if (!accept_word("len")) return error("expected 'len'");
    TRY_ASSIGN(const u64 length, number());
    if (length > 0xff) return error("length {} is too long", length);
    inst.imm = static_cast<u64>(value);
    inst.aux = static_cast<u8>(length);
    ++block_.guest_insns;
    block_.guest_bytes = static_cast<u32>(inst.imm + length);
    return {};
  }

  Result<u32> slot() {
    const std::string_view word = peek_word();
    for (u32 i = 0; i < slots_.count; ++i) {
      if (word == slots_.slots[i].name) {
        skip(word);
        return i;
      }
    }
    return error("'{}' is no slot", word);
  }
  Result<u32> helper() {
    const std::string_view word = peek_word();
    for (u32 i = 0; i < helpers_.count; ++i) {
      if (word == helpers_.helpers[i].name) {
        skip(word);
        return i;
      }
    }
    return error("'{}' is no helper", word);
  }

  Result<> payload(Inst& inst) {
    const Aux aux = op_info(inst.op).aux;
    switch (aux) {
      case Aux::None:
      case Aux::Marker:
      case Aux::Imm:
      case Aux::Offset:
      case Aux::Slot:
        return {};
      case Aux::Helper: {
        if (!accept('[')) return {};
        if (!accept_word("imm")) return error("expected 'imm='");
        TRY(expect('='));
        TRY_ASSIGN(inst.imm, number());
        return expect(']');
      }
      default:
        break;
    }
    TRY(expect('['));
    switch (aux) {
      case Aux::Flag:
      case Aux::FlagMask:
        TRY(flags(inst, aux == Aux::Flag));
        break;
      case Aux::Mem: {
        TRY_ASSIGN(inst.extra, access());
        break;
      }
      case Aux::MemRmw: {
        TRY_ASSIGN(const u32 kind, name_in(kRmwNames, "operation"));
        inst.aux = static_cast<u8>(kind);
        TRY(expect(','));
        TRY_ASSIGN(inst.extra, access());
        break;
      }
      case Aux::Order:
        TRY(small(inst, kOrderNames, "order"));
        break;
      case Aux::Round:
        TRY(small(inst, kRoundNames, "rounding"));
        break;
      case Aux::RoundSign: {
        TRY(small(inst, kRoundNames, "rounding"));
        TRY(expect(','));
        TRY_ASSIGN(const u32 sign, name_in(kSignNames, "sign"));
        inst.aux = static_cast<u8>(inst.aux | sign << 4);
        break;
      }
      case Aux::Vec: {
        TRY_ASSIGN(inst.extra, name_in(kVecNames, "lane operation"));
        TRY(expect(','));
        TRY_ASSIGN(inst.imm, number());
        break;
      }
      case Aux::FpCompare:
        TRY(small(inst, kFpCompareNames, "comparison"));
        break;
      default:
        break;
    }
    return expect(']');
  }

  template <size_t N>
  Result<> small(Inst& inst, const char* const (&names)[N], const char* what) {
    TRY_ASSIGN(const u32 value, name_in(names, what));
    inst.aux = static_cast<u8>(value);
    return {};
  }

  // Letters: exactly one is a flag's number, any are a mask.
  Result<> flags(Inst& inst, bool one) {
    const std::string_view word = peek_word();
    if (one && word.size() != 1) return error("expected one flag");
    for (const char c : word) {
      const size_t bit = std::string_view(kFlagLetters).find(c);
      if (bit == std::string_view::npos) return error("'{}' is no flag", c);
      inst.aux = static_cast<u8>(one ? bit : inst.aux | 1u << bit);
    }
    skip(word);
    return {};
  }

  Result<u32> access() {
    MemOp op;
    if (!accept_word("size")) return error("expected 'size='");
    TRY(expect('='));
    TRY_ASSIGN(const u64 size, number());
    op.size_log2 = 0;
    while (op.size_log2 < 5 && op.size() < size) ++op.size_log2;
    if (op.size() != size) return error("no access has {} bytes", size);
    while (accept(',')) {
      if (accept_word("sign")) {
        op.sign = true;
      } else if (accept_word("align")) {
        op.align = true;
      } else if (accept_word("big")) {
        op.big_endian = true;
      } else if (accept_word("mode")) {
        TRY(expect('='));
        TRY_ASSIGN(const u64 mode, number());
        if (mode > 15) return error("no memory mode {}", mode);
        op.mode = static_cast<u8>(mode);
      } else {
        TRY_ASSIGN(const u32 order, name_in(kOrderNames, "order"));
        op.order = static_cast<Order>(order);
      }
    }
    return op.pack();
  }

  Result<> hint(Terminal& t) {
    if (accept_word("call"))
      t.hint = Hint::call;
    else if (accept_word("ret"))
      t.hint = Hint::ret;
    if (accept_word("return")) {
      TRY_ASSIGN(t.not_taken, offset());
    }
    return {};
  }

  Result<> terminal() {
    Terminal t;
    if (accept_word("jump")) {
      t.kind = Terminal::Kind::jump;
      TRY_ASSIGN(t.taken, offset());
      TRY(hint(t));
    } else if (accept_word("branch")) {
      t.kind = Terminal::Kind::branch;
      TRY_ASSIGN(t.value, operand());
      TRY(expect(','));
      TRY_ASSIGN(t.taken, offset());
      TRY(expect(','));
      TRY_ASSIGN(t.not_taken, offset());
    } else if (accept_word("jump_indirect")) {
      t.kind = Terminal::Kind::jump_indirect;
      TRY_ASSIGN(t.value, operand());
      TRY(hint(t));
    } else {
      accept_word("exit");
      t.kind = Terminal::Kind::exit;
      TRY_ASSIGN(const u32 exit, name_in(kExitNames, "exit"));
      t.exit = static_cast<Exit>(exit);
      TRY_ASSIGN(t.taken, offset());
    }
    block_.terminal = t;
    return {};
  }

  const SlotTable slots_;
  const HelperTable helpers_;
  std::unordered_map<std::string_view, Op> ops_;
  std::unordered_map<u32, ValueId> values_;
  Block block_;
};

}  // namespace

Result<Block> parse(std::string_view text, SlotTable slots, HelperTable helpers) {
  return Parser(slots, helpers).run(text);
}

}  // namespace pagoda::ir
