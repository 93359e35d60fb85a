// SPDX-License-Identifier: MIT
// LLVM's machine-code library: what llvm-mc --disassemble -M no-aliases does, for one word.
#include "decode/llvm_inside.h"

#include <cstring>

#include <llvm/ADT/ArrayRef.h>
#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Triple.h>

#include "base/check.h"

namespace pagoda {

// In the order in which they need each other.
struct LlvmDisassembler::Parts {
  llvm::Triple triple;
  llvm::MCTargetOptions options;
  std::unique_ptr<llvm::MCRegisterInfo> registers;
  std::unique_ptr<llvm::MCAsmInfo> assembler;
  std::unique_ptr<llvm::MCInstrInfo> instructions;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCDisassembler> disassembler;
  std::unique_ptr<llvm::MCInstPrinter> printer;
  std::string text;
};

LlvmDisassembler::LlvmDisassembler(const std::string& triple, const std::string& features)
    : parts_(std::make_unique<Parts>()) {
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64Disassembler();
  Parts& p = *parts_;
  p.triple = llvm::Triple(triple);
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  CHECK(target != nullptr, "LLVM: {}", error);
  p.registers.reset(target->createMCRegInfo(triple));
  p.assembler.reset(target->createMCAsmInfo(*p.registers, triple, p.options));
  p.instructions.reset(target->createMCInstrInfo());
  p.subtarget.reset(target->createMCSubtargetInfo(triple, "", features));
  p.context = std::make_unique<llvm::MCContext>(p.triple, p.assembler.get(), p.registers.get(), p.subtarget.get());
  p.disassembler.reset(target->createMCDisassembler(*p.subtarget, *p.context));
  p.printer.reset(target->createMCInstPrinter(p.triple, 0, *p.assembler, *p.instructions, *p.registers));
  CHECK(p.disassembler && p.printer, "LLVM has no disassembler of {}", triple);
  CHECK(p.printer->applyTargetSpecificCLOption("no-aliases"), "LLVM prints aliases of {}", triple);
}

LlvmDisassembler::~LlvmDisassembler() = default;

const std::string& LlvmDisassembler::text(u32 word) {
  Parts& p = *parts_;
  p.text.clear();
  u8 bytes[4];
  std::memcpy(bytes, &word, sizeof bytes);
  llvm::MCInst inst;
  u64 size = 0;
  const auto status = p.disassembler->getInstruction(inst, size, bytes, 0, llvm::nulls());
  if (status == llvm::MCDisassembler::Fail) return p.text;
  llvm::raw_string_ostream out(p.text);
  p.printer->printInst(&inst, 0, "", *p.subtarget, out);
  const auto start = p.text.find_first_not_of(" \t");
  if (start != std::string::npos) p.text.erase(0, start);
  return p.text;
}

}  // namespace pagoda
