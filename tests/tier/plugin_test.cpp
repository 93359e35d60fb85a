// SPDX-License-Identifier: MIT
// Loading of plugins: each way of being wrong is named in one line and changes nothing; the example is registered.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "tcg/tier/backend.h"
#include "tcg/tier/load_plugins.h"

namespace pagoda::tier {
namespace {

namespace fs = std::filesystem;

class Plugins : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "pagoda-plugins-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // What is said of the only plugin in the folder, without its path.
  std::string problem(const fs::path& plugin, u32 limit_ms = 10'000) {
    const std::size_t before = backends().size();
    const auto problems = load_plugins(folder_.string(), limit_ms);
    EXPECT_TRUE(problems.has_value());
    if (!problems || problems->empty()) return "";
    EXPECT_EQ(problems->size(), 1u);
    EXPECT_EQ(backends().size(), before);
    const std::string path = plugin.string() + ": ";
    EXPECT_TRUE(problems->front().starts_with(path)) << problems->front();
    EXPECT_EQ(problems->front().find('\n'), std::string::npos);
    return problems->front().substr(path.size());
  }
  std::string problem_of(const char* test_plugin, u32 limit_ms = 10'000) {
    const fs::path path = folder_ / fmt::format("{}.so", test_plugin);
    const fs::path own = fs::path(PAGODA_TEST_PLUGINS) / path.filename();
    fs::copy_file(fs::exists(own) ? own : fs::path(PAGODA_TEST_PLUGINS) / "test_plugin.so", path);
    const std::string text = problem(path, limit_ms);
    fs::remove(path);
    return text;
  }
  fs::path folder_;
};

TEST_F(Plugins, EachWrongOneIsNamed) {
  const struct {
    const char *plugin, *problem;
  } kCases[] = {
      {"no_entry", "it has no pagoda_backend_entry"},
      {"null_entry", "pagoda_backend_entry returned nothing"},
      {"other_magic", "pagoda_backend_entry returned something else than a backend"},
      {"other_version", "it is made for version 2 of the plugin interface, this program has version 1"},
      {"other_headers", "it is made from other headers than this program"},
      {"other_sizes", "the sizes of its structures are not this program's"},
      {"no_row", "pagoda_backend_entry returned no backend"},
      {"duplicate", "there is a backend 'lightweight' already"},
      {"bad_name", "the backend's name 'Bad name' is not of lower-case letters, digits and '-'"},
      {"tier_zero", "backend 'test' is of tier 0, which is the interpreter's"},
      {"no_fallback", "backend 'test' has no fallback of a lower tier"},
      {"incomplete", "backend 'test' is not complete"},
      {"undefined_symbol", "undefined symbol: nobody_has_this"},
      {"abort", "it crashed while it was loaded (Aborted)"},
      {"throws", "it crashed while it was loaded (Aborted)"},
      {"exits", "it ended the program while it was loaded"},
  };
  for (const auto& each : kCases) EXPECT_EQ(problem_of(each.plugin), each.problem) << each.plugin;
  EXPECT_EQ(problem_of("hangs", 300), "loading it took longer than 1 s");
  // Sanitizers make an end of it by themselves.
  for (const char* crashing : {"crash", "entry_crashes"}) {
    const std::string text = problem_of(crashing);
    EXPECT_TRUE(text == "it crashed while it was loaded (Segmentation fault)" ||
                text == "it ended the program while it was loaded")
        << text;
  }
}

TEST_F(Plugins, FilesThatAreNoPlugins) {
  const fs::path path = folder_ / "a.so";
  std::ofstream(path) << "no program at all, but long enough for the header of one, which is 64 bytes of ELF\n";
  EXPECT_EQ(problem(path), "invalid ELF header");
  std::ofstream(path, std::ios::trunc) << "short";
  EXPECT_EQ(problem(path), "file too short");
  std::ifstream whole(PAGODA_LIGHT_PLUGIN, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  ASSERT_GT(bytes.size(), 100'000u);
  for (const std::size_t size : {std::size_t{1000}, bytes.size() / 4, bytes.size() / 2}) {
    std::ofstream(path, std::ios::trunc | std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
    EXPECT_NE(problem(path), "") << size;
  }
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_NE(problem(path), "");
  fs::remove(path);
  // Other files are nobody's business.
  std::ofstream(folder_ / "notes.txt") << "notes";
  EXPECT_TRUE(load_plugins(folder_.string())->empty());
}

TEST_F(Plugins, MissingFolder) {
  const auto problems = load_plugins((folder_ / "none").string());
  ASSERT_FALSE(problems.has_value());
  EXPECT_EQ(problems.error().message, (folder_ / "none").string() + ": No such file or directory");
}

TEST_F(Plugins, TheExample) {
  const fs::path path = folder_ / "b.so";
  fs::create_symlink(PAGODA_LIGHT_PLUGIN, path);
  std::ofstream(folder_ / "a.so") << "wrong";
  const std::size_t before = backends().size();
  const Backend* const first = &backends()[0];
  auto problems = load_plugins(folder_.string());
  ASSERT_TRUE(problems.has_value());
  EXPECT_EQ(problems->size(), 1u);
  ASSERT_EQ(backends().size(), before + 1);
  EXPECT_EQ(&backends()[0], first);
  const Backend* found = find_backend("light-plugin");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->source, path.string());
  EXPECT_EQ(default_backend().source, nullptr);
  // Again, nothing new; and nobody comes twice by another way.
  fs::remove(folder_ / "a.so");
  EXPECT_TRUE(load_plugins(folder_.string())->empty());
  fs::rename(path, folder_ / "c.so");
  EXPECT_EQ(problem(folder_ / "c.so"), "there is a backend 'light-plugin' already");
}

}  // namespace
}  // namespace pagoda::tier
