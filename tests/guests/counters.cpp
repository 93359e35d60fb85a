// SPDX-License-Identifier: MIT
// A program for Linux, without a library: counts cycles and instructions of a loop of known length by perf_event_open,
// then samples it. Prints "cycles N", "instructions N", "samples N" (those with a pc inside the loop); -1 is an error.
namespace {

using u32 = unsigned;
using u64 = unsigned long;
using i64 = long;

constexpr i64 kWrite = 64, kExit = 93, kRead = 63, kIoctl = 29, kMmap = 222, kPerfEventOpen = 241;
constexpr u64 kRounds = 1'000'000, kPeriod = 100'000;

// perf_event_attr, its first version.
struct Attributes {
  u32 type, size;
  u64 config, sample_period, sample_type, read_format, flags;
  u32 wakeup_events, breakpoint_type;
  u64 breakpoint_address;
};
static_assert(sizeof(Attributes) == 64);
constexpr u64 kDisabled = 1, kExcludeKernel = 1 << 5, kSampleIp = 1;
constexpr u64 kEnable = 0x2400, kDisable = 0x2401;

// Layout of the first page of a mapped event.
constexpr u64 kDataHead = 1024, kPage = 4096;

i64 call(i64 number, u64 a, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0) {
  register u64 a0 asm("a0") = a;
  register u64 a1 asm("a1") = b;
  register u64 a2 asm("a2") = c;
  register u64 a3 asm("a3") = d;
  register u64 a4 asm("a4") = e;
  register u64 a5 asm("a5") = f;
  register i64 a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return static_cast<i64>(a0);
}

void print(const char* name, i64 value) {
  char text[64];
  u32 length = 0;
  while (*name != 0) text[length++] = *name++;
  text[length++] = ' ';
  if (value < 0) text[length++] = '-', value = -value;
  char digits[20];
  u32 count = 0;
  do digits[count++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (count != 0) text[length++] = digits[--count];
  text[length++] = '\n';
  call(kWrite, 1, reinterpret_cast<u64>(text), length);
}

i64 open_event(u64 config, u64 period, u64 excluded = kExcludeKernel) {
  Attributes attributes{};
  attributes.size = sizeof(Attributes);
  attributes.config = config;
  attributes.sample_period = period;
  attributes.sample_type = period != 0 ? kSampleIp : 0;
  attributes.flags = kDisabled | excluded;
  // This process, any CPU, no group.
  return call(kPerfEventOpen, reinterpret_cast<u64>(&attributes), 0, ~0ul, ~0ul, 0);
}

// Two instructions a round.
u64 loop_start, loop_end;
[[gnu::noinline]] void work() {
  u64 rounds = kRounds;
  asm volatile(
      "lla %1, 1f\n lla %2, 2f\n"
      "1: addi %0, %0, -1\n bnez %0, 1b\n"
      "2:"
      : "+r"(rounds), "=&r"(loop_start), "=&r"(loop_end));
}

i64 count(u64 config) {
  i64 event = open_event(config, 0);
  if (event < 0) event = open_event(config, 0, 0);  // harts that cannot leave out a mode
  if (event < 0) return -1;
  call(kIoctl, static_cast<u64>(event), kEnable);
  work();
  call(kIoctl, static_cast<u64>(event), kDisable);
  u64 value = 0;
  return call(kRead, static_cast<u64>(event), reinterpret_cast<u64>(&value), 8) == 8 ? static_cast<i64>(value) : -1;
}

i64 sample() {
  constexpr u64 kReadWrite = 3, kShared = 1;
  const i64 event = open_event(1, kPeriod);
  if (event < 0) return -1;
  const i64 mapped = call(kMmap, 0, 2 * kPage, kReadWrite, kShared, static_cast<u64>(event), 0);
  if (mapped < 0) return -1;
  call(kIoctl, static_cast<u64>(event), kEnable);
  work();
  call(kIoctl, static_cast<u64>(event), kDisable);
  const u64 ring = static_cast<u64>(mapped);
  const u64 head = *reinterpret_cast<const volatile u64*>(ring + kDataHead);
  i64 samples = 0;
  // Records of a header of 8 bytes, the size in its last two, and the pc.
  for (u64 at = 0; at < head && at < kPage;) {
    const u64 header = *reinterpret_cast<const u64*>(ring + kPage + at);
    const u64 pc = *reinterpret_cast<const u64*>(ring + kPage + at + 8);
    if (pc >= loop_start && pc <= loop_end) ++samples;
    if (header >> 48 == 0) break;
    at += header >> 48;
  }
  return samples;
}

}  // namespace

extern "C" [[noreturn]] void _start() {
  print("cycles", count(0));
  print("instructions", count(1));
  print("samples", sample());
  for (;;) call(kExit, 0);
}
