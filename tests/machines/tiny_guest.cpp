// SPDX-License-Identifier: MIT
// The tests' assembler, temporary files and machine runs.
#include "machines/tiny_guest.h"

#include <unistd.h>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "machines/run.h"

namespace pagoda::test {

void Assembler::word(u32 bits) { words_.push_back(bits); }
void Assembler::label(const std::string& name) { labels_[name] = words_.size(); }

void Assembler::li(Reg rd, u64 value) {
  EXPECT_LT(value, u64{1} << 32);
  addi(rd, zero, static_cast<i32>(value >> 22));
  for (const u32 shift : {11, 0}) {
    slli(rd, rd, 11);
    addi(rd, rd, static_cast<i32>(value >> shift & 0x7ff));
  }
}

void Assembler::la(Reg rd, const std::string& to) {
  fixes_.push_back({words_.size(), to, true});
  word(rd << 7 | 0x17);  // auipc rd, 0
  addi(rd, rd, 0);
}

void Assembler::put_char(char c) {
  li(t0, kUartData);
  addi(t1, zero, c);
  sb(t1, t0);
}

void Assembler::finish(u32 value) {
  li(t0, kTestFinisher);
  li(t1, value);
  sw(t1, t0);
  const std::string end = "end" + std::to_string(words_.size());
  label(end);
  jump(end);
}

std::vector<u32> Assembler::words() {
  for (const Fix& fix : fixes_) {
    const i32 distance = static_cast<i32>(labels_.at(fix.label) * 4) - static_cast<i32>(fix.at * 4);
    const u32 d = static_cast<u32>(distance);
    if (fix.is_address) {
      words_[fix.at + 1] |= d << 20;
    } else {
      words_[fix.at] |= (d >> 12 & 1) << 31 | (d >> 5 & 0x3f) << 25 | (d >> 1 & 0xf) << 8 | (d >> 11 & 1) << 7;
    }
  }
  fixes_.clear();
  return words_;
}

void Assembler::i_type(i32 value, Reg rs1, u32 funct, Reg rd, u32 opcode) {
  word(static_cast<u32>(value) << 20 | rs1 << 15 | funct << 12 | rd << 7 | opcode);
}
void Assembler::s_type(i32 offset, Reg rs2, Reg rs1, u32 funct) {
  const u32 bits = static_cast<u32>(offset);
  word((bits >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | funct << 12 | (bits & 0x1f) << 7 | 0x23);
}
void Assembler::r_type(u32 funct7, Reg rs2, Reg rs1, u32 funct3, Reg rd, u32 opcode) {
  word(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
}
void Assembler::branch(Reg a, Reg b, u32 funct, const std::string& to) {
  fixes_.push_back({words_.size(), to, false});
  word(b << 20 | a << 15 | funct << 12 | 0x63);
}

TempFile::TempFile() {
  std::string name = testing::TempDir() + "pagoda-XXXXXX";
  const int fd = mkstemp(name.data());
  EXPECT_GE(fd, 0);
  close(fd);
  path_ = name;
}

TempFile::~TempFile() { std::remove(path_.c_str()); }

void TempFile::write(std::span<const std::byte> content) {
  std::ofstream file(path_, std::ios::binary);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

std::string TempFile::read() const {
  std::ifstream file(path_, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

MachineConfig base_config(const std::string& machine) {
  MachineConfig config;
  config.guest = "riscv64";
  config.machine = machine;
  config.cpu.model = "rv64";
  config.ram_bytes = u64{16} << 20;
  config.firmware = FirmwareKind::none;
  return config;
}

RunResult run_guest(MachineConfig config, const std::vector<u32>& program) {
  const TempFile kernel(program), console;
  config.kernel = kernel.path();
  config.chardevs.push_back({.id = "serial0", .kind = CharKind::file, .path = console.path(), .origin = "-serial"});
  config.serials.push_back("serial0");
  RunResult result;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  result.status = run_machine(config, {});
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  result.console = console.read();
  return result;
}

}  // namespace pagoda::test
