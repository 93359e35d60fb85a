// SPDX-License-Identifier: MIT
// Fuzz target: bytes become 9P messages to a server whose folder has files, folders, links that lead out of it and
// a FIFO. Whatever is sent, every message gets an answer that fits, and what lies beside the folder stays as it is.
//
// Input: security model, then messages: type, length and body; size and tag are put right, mostly.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "devices/p9/server.h"
#include "fuzz/target.h"

namespace {

using namespace pagoda;
namespace fs = std::filesystem;

const fs::path& outside() {
  static const fs::path path = [] {
    std::string name = (fs::temp_directory_path() / "pagoda-p9-fuzz-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    return fs::path(name);
  }();
  return path;
}

void put(const fs::path& path, const char* text) { std::ofstream(path) << text; }

void fill_folder() {
  const fs::path shared = outside() / "shared";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(outside(), ignored)) {
    // The guest may have taken the owner's rights away.
    for (auto it = fs::recursive_directory_iterator(entry, ignored); it != fs::recursive_directory_iterator();
         it.increment(ignored)) {
      if (!fs::is_symlink(it->symlink_status(ignored))) fs::permissions(*it, fs::perms::owner_all, ignored);
    }
  }
  fs::permissions(shared, fs::perms::owner_all, ignored);
  fs::remove_all(outside(), ignored);
  fs::create_directories(shared / "a/b");
  put(outside() / "secret", "secret");
  put(shared / "f", "text");
  put(shared / "a/f", "text");
  fs::create_symlink("..", shared / "l");
  fs::create_symlink("../secret", shared / "a/l");
  CHECK(mkfifo((shared / "p").c_str(), 0600) == 0);
}

void check_outside() {
  std::ifstream file(outside() / "secret");
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  CHECK(content == "secret", "{}", content);
  CHECK(std::distance(fs::directory_iterator(outside()), {}) == 2);
  struct ::stat status{};
  CHECK(stat((outside() / "secret").c_str(), &status) == 0 && (status.st_mode & 0777) == 0644 && status.st_nlink == 1);
}

}  // namespace

std::vector<std::vector<pagoda::u8>> pagoda::test::fuzz_seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 1) return 0;
  umask(022);
  fill_folder();
  const u8 kind = *data++;
  --size;
  auto folder =
      p9::HostFolder::open((outside() / "shared").string(), static_cast<p9::Security>(kind % 3), kind / 64 == 1);
  CHECK(folder.has_value(), "{}", folder.error().message);
  if (kind / 64 == 2) (*folder)->walk_by_steps();
  p9::Server server(std::move(*folder));
  const auto send = [&](u8 type, std::span<const u8> body, u32 said, u32 room) {
    std::vector<u8> message;
    p9::Writer out(message);
    out.word(said);
    out.byte(type);
    out.half(1);
    out.bytes(body);
    const std::vector<u8> reply = server.handle(message, room);
    CHECK(reply.size() <= room && (room < 11 || reply.size() >= 7));
  };
  const auto start = [&] {
    std::vector<u8> body;
    p9::Writer out(body);
    out.word(8192);
    out.text("9P2000.L");
    send(100, body, static_cast<u32>(7 + body.size()), 8192);
    body.clear();
    out.word(0);
    out.word(~0u);
    out.text("");
    out.text("");
    out.word(0);
    send(104, body, static_cast<u32>(7 + body.size()), 8192);
  };
  start();
  while (size >= 3) {
    const u8 type = data[0], flags = data[2];
    const std::size_t length = std::min<std::size_t>(data[1], size - 3);
    const std::span body(data + 3, length);
    data += 3 + length;
    size -= 3 + length;
    const u32 said = static_cast<u32>(7 + length) + ((flags & 1) != 0 ? flags : 0);
    send(type, body, said, (flags & 2) != 0 ? flags : 8192);
    if ((flags & 0xf0) == 0xf0) start();
  }
  server.reset();
  check_outside();
  return 0;
}
