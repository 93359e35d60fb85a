// SPDX-License-Identifier: MIT
// Character back ends on real descriptors: files, pseudo terminals, sockets, slow pipes.
#include "devices/serial/chardev.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "devices/serial/fd_writer.h"
#include "devices/serial/telnet.h"

namespace pagoda {
namespace {

std::span<const u8> bytes_of(std::string_view text) { return {reinterpret_cast<const u8*>(text.data()), text.size()}; }

// Reads until `count` bytes came, the end of file or 10 s without any.
std::string read_from(int fd, std::size_t count) {
  std::string text;
  while (text.size() < count) {
    pollfd ask{fd, POLLIN, 0};
    if (poll(&ask, 1, 10'000) <= 0) break;
    char buffer[4096];
    const ssize_t n = read(fd, buffer, std::min(sizeof(buffer), count - text.size()));
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

void write_to(int fd, std::string_view text) {
  ASSERT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// A loop on its own thread, with one device whose front end echoes in upper case.
class ChardevTest : public testing::Test {
 protected:
  std::string directory;
  EventLoop loop;
  std::jthread thread;
  int quits = 0;
  std::unique_ptr<CharDevices> devices = std::make_unique<CharDevices>(loop, [this] {
    ++quits;
    loop.stop();
  });
  CharBackend* backend = nullptr;

  void SetUp() override {
    char name[] = "/tmp/pagoda-chardev-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory = name;
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory);
  }
  void start(CharSpec spec) {
    spec.id = "c0";
    const auto opened = devices->open(spec);
    ASSERT_TRUE(opened) << opened.error().message;
    backend = &devices->attach("c0", [this](std::function<void()> event) { loop.post(std::move(event)); });
    backend->set_receiver([this](std::span<const u8> bytes) {
      std::string text(bytes.begin(), bytes.end());
      for (char& c : text) c = static_cast<char>(toupper(c));
      backend->write(bytes_of(text));
      return bytes.size();
    });
    devices->start();
    thread = std::jthread([this] { loop.run(); });
  }
  void stop() {
    loop.stop();
    if (thread.joinable()) thread.join();
    devices.reset();
  }
  std::string path(const char* name) const { return directory + "/" + name; }
  int connect_to(const std::string& socket_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(ChardevTest, FileIsTruncatedOrAppended) {
  std::ofstream(path("f")) << "old ";
  start({.kind = CharKind::file, .path = path("f"), .append = true});
  backend->write(bytes_of("new"));
  stop();
  EXPECT_EQ(content(path("f")), "old new");
  EventLoop other;
  CharDevices again(other, {});
  ASSERT_TRUE(again.open({.id = "x", .kind = CharKind::file, .path = path("f")}));
  EXPECT_EQ(content(path("f")), "");
}

TEST_F(ChardevTest, ALogKeepsWhatIsWritten) {
  std::ofstream(path("log")) << "old ";
  start({.kind = CharKind::file, .path = path("f"), .log_file = path("log"), .log_append = true});
  backend->write(bytes_of("new"));
  stop();
  EXPECT_EQ(content(path("f")), "new");
  EXPECT_EQ(content(path("log")), "old new");
  EventLoop other;
  CharDevices again(other, {});
  ASSERT_TRUE(again.open({.id = "x", .kind = CharKind::null, .log_file = path("log")}));
  again.attach_to_loop("x").write(bytes_of("anew"));
  const auto opened = again.open({.id = "y", .log_file = path("no/such"), .origin = "-chardev y"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "-chardev y: logfile=" + path("no/such") + ": No such file or directory");
}

TEST_F(ChardevTest, ErrorsNameOptionAndFile) {
  const auto message = [&](CharSpec spec) {
    const auto opened = devices->open(spec);
    return opened ? std::string("no error") : opened.error().message;
  };
  const std::string missing = path("no/such");
  EXPECT_EQ(message({.id = "a", .kind = CharKind::file, .path = missing, .origin = "-serial file:x"}),
            "-serial file:x: " + missing + ": No such file or directory");
  EXPECT_EQ(message({.id = "b", .kind = CharKind::socket, .path = missing, .origin = "-serial unix:x"}),
            "-serial unix:x: " + missing + ": No such file or directory");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(message({.id = "c", .kind = CharKind::file, .path = path("fifo"), .origin = "-o"}),
            "-o: " + path("fifo") + ": no process reads this FIFO");
  std::ofstream(path("plain")) << "keep";
  EXPECT_EQ(message({.id = "d", .kind = CharKind::socket, .path = path("plain"), .server = true, .origin = "-o"}),
            "-o: " + path("plain") + ": Address already in use");
  EXPECT_EQ(content(path("plain")), "keep");
}

TEST_F(ChardevTest, PtyTalksBothWaysAndSurvivesItsClients) {
  testing::internal::CaptureStdout();
  start({.kind = CharKind::pty, .path = path("tty")});
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_EQ(said.rfind("char device redirected to /dev/pts/", 0), 0u) << said;
  EXPECT_NE(said.find(" (label c0)\n"), std::string::npos);
  for (int client = 0; client < 2; ++client) {
    const int fd = open(path("tty").c_str(), O_RDWR | O_NOCTTY);
    ASSERT_GE(fd, 0);
    write_to(fd, "hello\n\x03\x11");  // nothing has a meaning to the line discipline
    EXPECT_EQ(read_from(fd, 8), "HELLO\n\x03\x11");
    close(fd);
  }
  stop();
  EXPECT_FALSE(std::filesystem::is_symlink(path("tty")));
}

TEST_F(ChardevTest, SocketServerTakesOneClientAfterAnother) {
  start({.kind = CharKind::socket, .path = path("s"), .server = true, .wait = false});
  backend->write(bytes_of("nobody hears this"));
  for (int client = 0; client < 2; ++client) {
    const int fd = connect_to(path("s"));
    write_to(fd, "abc");
    EXPECT_EQ(read_from(fd, 3), "ABC");
    close(fd);
  }
  stop();
  EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_F(ChardevTest, SocketServerWaitsForItsFirstClient) {
  std::jthread client([&] {
    while (!std::filesystem::exists(path("s"))) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    int fd = connect_to(path("s"));
    write_to(fd, "abc");
    EXPECT_EQ(read_from(fd, 3), "ABC");
    close(fd);
  });
  testing::internal::CaptureStdout();
  start({.kind = CharKind::socket, .path = path("s"), .server = true, .wait = true});
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "pagoda: waiting for a connection to " + path("s") + " (label c0)\n");
  client.join();
}

TEST_F(ChardevTest, SocketClient) {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("s").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  start({.kind = CharKind::socket, .path = path("s")});
  const int fd = accept(listener, nullptr, nullptr);
  write_to(fd, "xyz");
  EXPECT_EQ(read_from(fd, 3), "XYZ");
  close(fd);
  backend->write(bytes_of("into the void"));  // no signal, no wait
  close(listener);
}

TEST_F(ChardevTest, PipesOutliveTheirClients) {
  ASSERT_EQ(mkfifo(path("p.in").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo(path("p.out").c_str(), 0600), 0);
  start({.kind = CharKind::pipe, .path = path("p")});
  for (int client = 0; client < 2; ++client) {
    const int to = open(path("p.in").c_str(), O_WRONLY);
    const int from = open(path("p.out").c_str(), O_RDONLY);
    write_to(to, "abc");
    EXPECT_EQ(read_from(from, 3), "ABC");
    close(to);
    close(from);
  }
  const auto opened = devices->open({.id = "d", .kind = CharKind::pipe, .path = path("q"), .origin = "-o"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, fmt::format("-o: {0}: No such file or directory (and there are no FIFOs {0}.in and "
                                                "{0}.out)",
                                                path("q")));
}

TEST_F(ChardevTest, OnePipeForBothDirections) {
  ASSERT_EQ(mkfifo(path("p").c_str(), 0600), 0);
  CharSpec spec{.id = "c0", .kind = CharKind::pipe, .path = path("p")};
  ASSERT_TRUE(devices->open(spec));
  devices->attach("c0", [this](std::function<void()> event) { loop.post(std::move(event)); }).write(bytes_of("out"));
  const int fd = open(path("p").c_str(), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(read_from(fd, 3), "out");
  close(fd);
}

TEST_F(ChardevTest, TelnetServer) {
  start({.kind = CharKind::socket, .path = path("s"), .server = true, .wait = false, .telnet = true});
  std::atomic<int> breaks{0};
  backend->set_event_handler([&](CharEvent event) {
    if (event == CharEvent::break_received) backend->write(bytes_of(fmt::format("<{}>", ++breaks)));
  });
  for (int client = 0; client < 2; ++client) {
    const int fd = connect_to(path("s"));
    const auto greeting = TelnetFilter::greeting();
    EXPECT_EQ(read_from(fd, greeting.size()), std::string(greeting.begin(), greeting.end()));
    write_to(fd, "a\xff\xfb");  // cut anywhere, also by a client that goes away
    EXPECT_EQ(read_from(fd, 1), "A");
    if (client == 1) {
      write_to(fd, std::string_view("\x00z\xff\xf3", 4));
      EXPECT_EQ(read_from(fd, 4), "Z<1>");
      write_to(fd, "\xff\xff");
      EXPECT_EQ(read_from(fd, 2), "\xff\xff");
    }
    close(fd);
  }
}

// What a filter makes of bytes, whole and one by one; "!" is a break.
std::string filtered(std::string_view bytes) {
  const auto run = [&](std::size_t step) {
    std::string text;
    TelnetFilter filter;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      filter.feed(
          bytes_of(bytes.substr(at, step)), [&](auto data) { text.append(data.begin(), data.end()); },
          [&] { text += '!'; });
    }
    return text;
  };
  const std::string text = run(bytes.size());
  EXPECT_EQ(run(1), text);
  return text;
}

TEST(Telnet, CommandsAreTakenOut) {
  using namespace std::string_view_literals;
  EXPECT_EQ(filtered("plain"), "plain");
  EXPECT_EQ(filtered("a\xff\xfd\x01"
                     "b\xff\xfe\x03"
                     "c\xff\xf1"
                     "d"),
            "abcd");
  EXPECT_EQ(filtered("\xff\xff"), "\xff");
  EXPECT_EQ(filtered("1\xff\xf3"
                     "2\xff\xf4"
                     "3"),
            "1!2!3");
  EXPECT_EQ(filtered("a\xff\xfa\x18\x00vt\xff\xff\xff\xf0"
                     "b"sv),
            "ab");
}

TEST(Telnet, CarriageReturnsOfTheNetworkTerminal) {
  using namespace std::string_view_literals;
  EXPECT_EQ(filtered("a\r\0b\r\n\0c"sv), "a\rb\r\n\0c"sv);
  EXPECT_EQ(filtered("\xff\xfb\0a\r\0b"sv), "a\r\0b"sv) << "bytes stay as they are once binary is agreed";
  EXPECT_EQ(filtered("\xff\xfb\0\xff\xfc\0a\r\0b"sv), "a\rb"sv);
}

TEST_F(ChardevTest, SharedSocketHasFrontEndsAndCommands) {
  CharSpec spec{.id = "m", .kind = CharKind::socket, .path = path("s"), .server = true, .wait = false, .mux = true};
  ASSERT_TRUE(devices->open(spec));
  CharBackend& guest = devices->attach("m", [this](std::function<void()> event) { loop.post(std::move(event)); });
  CharBackend& monitor = devices->attach_to_loop("m");
  const auto echo = [](CharBackend& port, char mark) {
    port.set_receiver([&port, mark](std::span<const u8> bytes) {
      for (const u8 byte : bytes) port.write(bytes_of(std::string{mark, static_cast<char>(byte)}));
      return bytes.size();
    });
    port.set_event_handler([&port, mark](CharEvent event) {
      if (event == CharEvent::focus) port.write(bytes_of(std::string{mark, '!'}));
      if (event == CharEvent::break_received) port.write(bytes_of(std::string{mark, '#'}));
    });
  };
  echo(guest, 'g');
  echo(monitor, 'm');
  devices->start();
  thread = std::jthread([this] { loop.run(); });
  const int fd = connect_to(path("s"));
  EXPECT_EQ(read_from(fd, 2), "g!");
  write_to(fd,
           "1\x01"
           "c2");
  EXPECT_EQ(read_from(fd, 6), "g1m!m2");
  write_to(fd,
           "\x01"
           "c\x01"
           "b\x01\x01");
  EXPECT_EQ(read_from(fd, 6), "g!g#g\x01");
  write_to(fd, "\x01x");
  thread.join();
  EXPECT_EQ(quits, 1);
  close(fd);
}

// A guest that takes no input stops the reading, and nothing is lost when it takes it at last.
TEST_F(ChardevTest, BackPressureReachesTheHost) {
  CharSpec spec{.id = "c0", .kind = CharKind::socket, .path = path("s"), .server = true, .wait = false};
  ASSERT_TRUE(devices->open(spec));
  backend = &devices->attach("c0", [this](std::function<void()> event) { loop.post(std::move(event)); });
  std::atomic<bool> accepts{false};
  std::string received;
  std::atomic<std::size_t> total{0};
  backend->set_receiver([&](std::span<const u8> bytes) -> std::size_t {
    if (!accepts) return 0;
    const std::size_t count = std::min<std::size_t>(bytes.size(), 16);  // a UART's FIFO
    received.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    total = received.size();
    return count;
  });
  devices->start();
  thread = std::jthread([this] { loop.run(); });
  const int fd = connect_to(path("s"));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  std::string sent;
  // Until the kernel's buffers are full: were the loop still reading, this would not end.
  for (int idle = 0; idle < 20;) {
    std::string chunk;
    for (int i = 0; i < 1000; ++i) chunk += static_cast<char>('a' + (sent.size() + chunk.size()) % 26);
    const ssize_t n = write(fd, chunk.data(), chunk.size());
    ASSERT_LT(sent.size(), 100u << 20);
    if (n > 0) {
      sent += chunk.substr(0, static_cast<std::size_t>(n));
      idle = 0;
    } else {
      ++idle;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  accepts = true;
  while (total < sent.size()) {
    const std::size_t before = total;
    backend->input_ready();
    for (int i = 0; i < 60'000 && total == before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (total == before) break;
  }
  stop();
  EXPECT_EQ(received, sent);
  close(fd);
}

TEST(FdWriter, SlowReaderLosesNothing) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  for (const bool nonblocking : {true, false}) {
    EventLoop loop;
    std::jthread thread([&] { loop.run(); });
    const int fd = dup(pipe_fds[1]);
    fcntl(fd, F_SETFL, nonblocking ? O_NONBLOCK : 0);
    std::string sent;
    for (int i = 0; i < 200'000; ++i) sent += fmt::format("{}\n", i);
    std::string received;
    std::jthread reader([&] { received = read_from(pipe_fds[0], sent.size()); });
    {
      // More than queue and pipe hold: the writer has to wait now and then; the destructor flushes.
      FdWriter writer(loop, fd,
                      {.label = "p",
                       .queue_bytes = 10'000,
                       .full_wait_ms = 60'000,
                       .last_wait_ms = 60'000,
                       .nonblocking = nonblocking});
      for (std::size_t at = 0; at < sent.size(); at += 777)
        writer.write(bytes_of(sent).subspan(at, std::min<std::size_t>(777, sent.size() - at)));
      loop.stop();
      thread.join();
    }
    reader.join();
    EXPECT_EQ(received == sent, true) << received.size() << " of " << sent.size();
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(FdWriter, WithoutAReaderItDropsAndSaysSoOnce) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
  EventLoop loop;
  testing::internal::CaptureStderr();
  {
    FdWriter writer(loop, pipe_fds[1], {.label = "p", .queue_bytes = 1000, .full_wait_ms = 10, .is_warning = true});
    const std::string much(100'000, 'x');
    for (int i = 0; i < 50; ++i) writer.write(bytes_of(much));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "pagoda: p: nothing reads it; output is lost\n");
  close(pipe_fds[0]);
}

TEST(FdWriter, AClosedPipeIsNoSignal) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
  close(pipe_fds[0]);
  EventLoop loop;
  testing::internal::CaptureStderr();
  FdWriter writer(loop, pipe_fds[1], {.label = "p", .is_warning = true});
  writer.write(bytes_of("x"));
  writer.write(bytes_of("y"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "pagoda: p: Broken pipe; output is lost\n");
}

}  // namespace
}  // namespace pagoda
