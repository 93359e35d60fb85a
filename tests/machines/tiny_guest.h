// SPDX-License-Identifier: MIT
// Hand-assembled guests: just enough of an assembler, temporary files, and running a machine on them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "machines/config.h"

namespace pagoda::test {

// Registers by their numbers.
enum Reg : u32 {
  zero = 0,
  ra = 1,
  t0 = 5,
  t1 = 6,
  t2 = 7,
  s0 = 8,
  s1 = 9,
  a0 = 10,
  a1 = 11,
  a2 = 12,
  a3 = 13,
  a4 = 14,
  a5 = 15
};
enum Csr : u32 {
  mstatus = 0x300,
  mie = 0x304,
  mtvec = 0x305,
  mip = 0x344,
  mhartid = 0xf14,
  minstret = 0xb02,
  time_csr = 0xc01
};

inline constexpr u64 kRam = 0x8000'0000;
inline constexpr u64 kTestFinisher = 0x10'0000;
inline constexpr u64 kUartData = 0x1000'0000;
inline constexpr u64 kClintBase = 0x200'0000;
inline constexpr u64 kMtimecmp0 = kClintBase + 0x4000;
inline constexpr u64 kMtime = kClintBase + 0xbff8;

// Instruction words (Unprivileged ISA, "RV32/64G Instruction Set Listings"); labels are resolved by words().
class Assembler {
 public:
  void word(u32 bits);
  void label(const std::string& name);
  void addi(Reg rd, Reg rs1, i32 value) { i_type(value, rs1, 0, rd, 0x13); }
  void andi(Reg rd, Reg rs1, i32 value) { i_type(value, rs1, 7, rd, 0x13); }
  void slli(Reg rd, Reg rs1, u32 shift) { i_type(static_cast<i32>(shift), rs1, 1, rd, 0x13); }
  void add(Reg rd, Reg rs1, Reg rs2) { r_type(0, rs2, rs1, 0, rd, 0x33); }
  void sub(Reg rd, Reg rs1, Reg rs2) { r_type(0x20, rs2, rs1, 0, rd, 0x33); }
  void divu(Reg rd, Reg rs1, Reg rs2) { r_type(1, rs2, rs1, 5, rd, 0x33); }
  void amoadd_d(Reg rd, Reg rs2, Reg address) { r_type(0, rs2, address, 3, rd, 0x2f); }
  // A constant of up to 32 bits, from pieces of 10, 11 and 11; always five words.
  void li(Reg rd, u64 value);
  void ld(Reg rd, Reg base, i32 offset = 0) { i_type(offset, base, 3, rd, 0x03); }
  void lw(Reg rd, Reg base, i32 offset = 0) { i_type(offset, base, 2, rd, 0x03); }
  void lbu(Reg rd, Reg base, i32 offset = 0) { i_type(offset, base, 4, rd, 0x03); }
  void sd(Reg value, Reg base, i32 offset = 0) { s_type(offset, value, base, 3); }
  void sw(Reg value, Reg base, i32 offset = 0) { s_type(offset, value, base, 2); }
  void sb(Reg value, Reg base, i32 offset = 0) { s_type(offset, value, base, 0); }
  void csrr(Reg rd, Csr csr) { i_type(static_cast<i32>(csr), zero, 2, rd, 0x73); }
  void csrw(Csr csr, Reg rs1) { i_type(static_cast<i32>(csr), rs1, 1, zero, 0x73); }
  void csrs(Csr csr, Reg rs1) { i_type(static_cast<i32>(csr), rs1, 2, zero, 0x73); }
  void wfi() { word(0x1050'0073); }
  void mret() { word(0x3020'0073); }
  void beq(Reg a, Reg b, const std::string& to) { branch(a, b, 0, to); }
  void bne(Reg a, Reg b, const std::string& to) { branch(a, b, 1, to); }
  void bltu(Reg a, Reg b, const std::string& to) { branch(a, b, 6, to); }
  void jump(const std::string& to) { beq(zero, zero, to); }
  void la(Reg rd, const std::string& to);  // address of a label

  // --- phrases ---
  void put_char(char c);
  void finish(u32 value);  // writes the test finisher
  void power_off() { finish(0x5555); }
  void fail(u32 code) { finish(code << 16 | 0x3333); }
  void reset_machine() { finish(0x7777); }

  std::vector<u32> words();

 private:
  struct Fix {
    std::size_t at;
    std::string label;
    bool is_address;
  };
  void i_type(i32 value, Reg rs1, u32 funct, Reg rd, u32 opcode);
  void s_type(i32 offset, Reg rs2, Reg rs1, u32 funct);
  void r_type(u32 funct7, Reg rs2, Reg rs1, u32 funct3, Reg rd, u32 opcode);
  void branch(Reg a, Reg b, u32 funct, const std::string& to);

  std::vector<u32> words_;
  std::map<std::string, std::size_t> labels_;
  std::vector<Fix> fixes_;
};

// A file in the test's own folder, gone with the object.
class TempFile {
 public:
  TempFile();
  explicit TempFile(std::span<const std::byte> content) : TempFile() { write(content); }
  explicit TempFile(const std::vector<u32>& words) : TempFile() { write(std::as_bytes(std::span(words))); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile();
  void write(std::span<const std::byte> content);
  std::string read() const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

MachineConfig base_config(const std::string& machine = "virt");

struct RunResult {
  int status = 0;
  std::string console;
  std::string out, err;
};

// Runs a flat program at the start of RAM; its serial port goes to a file.
RunResult run_guest(MachineConfig config, const std::vector<u32>& program);

}  // namespace pagoda::test
