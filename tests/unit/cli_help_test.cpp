// SPDX-License-Identifier: MIT
// What is printed on request. tests/golden/help.txt is made again with PAGODA_BLESS=1 in the environment.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cli/help.h"
#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

const std::string kGoldenFile = PAGODA_TEST_DIR "/golden/help.txt";

// The version moves with each release: it is not what the file is about.
std::string without_version(std::string text) {
  const std::size_t at = text.find(PAGODA_VERSION);
  if (at != std::string::npos) text.replace(at, std::string_view(PAGODA_VERSION).size(), "VERSION");
  return text;
}

TEST(CliHelp, GoldenText) {
  std::string text;
  for (const char* options :
       {"-help", "-M help", "-cpu help", "-accel help", "-device help", "-device virtio-blk-device,help",
        "-object help", "-chardev help", "-d help", "-display help", "-version"}) {
    text += fmt::format("$ pagoda riscv64 {}\n{}\n", options, without_version(text_of(options)));
  }
  // The options are the same as above.
  const std::string general = without_version(help_text(""));
  text += fmt::format("$ pagoda help\n{}", general.substr(0, general.find("\nOptions")));
  if (std::getenv("PAGODA_BLESS") != nullptr) {
    std::ofstream(kGoldenFile) << text;
    return;
  }
  std::ifstream file(kGoldenFile);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << "to accept the new text: run this test with PAGODA_BLESS=1";
}

TEST(CliHelp, EverySpelling) {
  for (const char* options : {"-h", "-help", "--help", "--h", "-smp 2 -help", "-help -frob"}) {
    EXPECT_EQ(text_of(options), help_text("riscv64")) << options;
  }
  EXPECT_EQ(text_of("--version"), version_text());
  EXPECT_EQ(text_of("-machine ?"), text_of("-M help"));
  EXPECT_EQ(text_of("-device ?"), text_of("-device help"));
  EXPECT_EQ(text_of("-accel tcg,help"), text_of("-accel help"));
  EXPECT_EQ(text_of("-cpu rv64,help"), text_of("-cpu help"));
}

TEST(CliHelp, WithoutAGuest) {
  for (const Words& words : {Words{"pagoda", "help"}, {"pagoda", "-h"}, {"pagoda", "-help"}, {"pagoda", "--help"}}) {
    const auto parsed = parse(words);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->text, help_text(""));
  }
  for (const Words& words : {Words{"pagoda", "version"}, {"pagoda", "-version"}, {"pagoda", "--version"}}) {
    const auto parsed = parse(words);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->text, version_text());
  }
  const auto parsed = parse(Words{"pagoda", "help", "riscv64"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->text, help_text("riscv64"));
}

// What test suites look for in the listings.
TEST(CliHelp, WordsThatScriptsSearch) {
  EXPECT_NE(text_of("--help").find("QEMU"), std::string::npos);
  EXPECT_NE(text_of("-machine ?").find("RISC-V VirtIO board"), std::string::npos);
  EXPECT_NE(text_of("-device ?").find("name \"virtio-blk-device\""), std::string::npos);
  EXPECT_NE(text_of("-device ?").find("\"virtconsole\""), std::string::npos);
}

TEST(CliHelp, NoLineIsTooLong) {
  std::istringstream lines(help_text("riscv64"));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 118u) << line;
}

TEST(CliHelp, NoOptionIsNamedTwice) {
  auto names = option_names();
  std::ranges::sort(names);
  EXPECT_TRUE(std::ranges::adjacent_find(names) == names.end());
}

}  // namespace
}  // namespace pagoda::cli
