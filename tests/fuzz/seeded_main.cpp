// SPDX-License-Identifier: MIT
// A fuzz target without libFuzzer: a number of inputs drawn from a seed, the same ones each time.
//
// Usage: NAME [COUNT [SEED [FIRST]]]. Input n depends on the seed and n alone: what is printed when one of them ends
// the program is the command that runs that one again.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "fuzz/target.h"

// There only in builds with a sanitizer.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace pagoda::test {
namespace {

using Rng = std::mt19937_64;

const char* program = "";
volatile unsigned long long seed = 1, current = 0;

void report() {
  char line[512];
  const int length = std::snprintf(line, sizeof line, "repeat with: %s 1 %llu %llu\n", program, seed, current);
  if (length > 0) (void)!write(STDERR_FILENO, line, std::min(sizeof line - 1, static_cast<std::size_t>(length)));
}

// Then what would have happened without this handler: it comes again when the handler returns.
struct sigaction earlier[NSIG];
void on_signal(int signal) {
  report();
  sigaction(signal, &earlier[signal], nullptr);
  if (signal == SIGTERM) std::raise(signal);
}

u64 below(Rng& rng, u64 limit) { return rng() % limit; }

// Random bytes; in some inputs mostly small ones, because operations, indices and lengths are small numbers.
std::vector<u8> random_input(Rng& rng) {
  std::vector<u8> input(1 + below(rng, u64{1} << (4 + below(rng, 6))));
  const u64 small = below(rng, 3);
  for (u8& byte : input) {
    byte = static_cast<u8>(rng());
    if (small != 0 && below(rng, 3) < small) byte &= 15;
  }
  return input;
}

// A few changes to a well-formed input: bits, numbers at their edges, pieces cut, doubled or moved.
std::vector<u8> mutated(std::vector<u8> input, Rng& rng) {
  constexpr u64 kEdges[] = {0,      1,      0x7f,       0x80,       0xff,         0x7fff,
                            0x8000, 0xffff, 0x7fffffff, 0x80000000, ~u64{0} >> 1, ~u64{0}};
  for (u64 changes = below(rng, 6); changes-- > 0 && !input.empty();) {
    const u64 at = below(rng, below(rng, 2) == 0 ? std::min<u64>(input.size(), 128) : input.size());
    switch (below(rng, 6)) {
      case 0:
        input[at] ^= static_cast<u8>(1 << below(rng, 8));
        break;
      case 1:
        input[at] = static_cast<u8>(rng());
        break;
      case 2:
      case 3: {  // a number in either byte order
        u64 value = kEdges[below(rng, std::size(kEdges))] + below(rng, 3) - 1;
        const u64 width = u64{1} << below(rng, 4);
        if (below(rng, 2) == 0) value = __builtin_bswap64(value) >> (64 - 8 * width);
        std::memcpy(&input[at], &value, std::min<u64>(width, input.size() - at));
        break;
      }
      case 4:
        input.resize(below(rng, 2) == 0 ? at : input.size() - below(rng, std::min<u64>(input.size(), 16)));
        break;
      default: {
        const std::vector<u8> piece(
            input.begin() + static_cast<i64>(at),
            input.begin() + static_cast<i64>(at + std::min(input.size() - at, 1 + below(rng, 32))));
        input.insert(input.begin() + static_cast<i64>(below(rng, input.size())), piece.begin(), piece.end());
      }
    }
  }
  return input;
}

int run(u64 count, u64 first) {
  const std::vector<std::vector<u8>> seeds = fuzz_seeds();
  for (u64 n = first; n < first + count; ++n) {
    current = n;
    std::seed_seq sequence{static_cast<u32>(seed), static_cast<u32>(seed >> 32), static_cast<u32>(n),
                           static_cast<u32>(n >> 32)};
    Rng rng(sequence);
    // Without seeds, and sometimes with them, bytes from nothing.
    const bool from_nothing = seeds.empty() || below(rng, 8) == 0;
    const std::vector<u8> input = from_nothing ? random_input(rng) : mutated(seeds[below(rng, seeds.size())], rng);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%llu inputs\n", static_cast<unsigned long long>(count));
  return 0;
}

}  // namespace
}  // namespace pagoda::test

int main(int argc, char** argv) {
  using namespace pagoda::test;
  const auto number = [&](int index, unsigned long long fallback) {
    return argc > index ? std::strtoull(argv[index], nullptr, 0) : fallback;
  };
  program = argv[0];
  seed = number(2, 1);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGTERM}) {
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(signal, &action, &earlier[signal]);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(report);
  return run(number(1, 1000), number(3, 0));
}
