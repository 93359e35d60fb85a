// SPDX-License-Identifier: MIT
// Memory workloads: streams, chases, scattered updates, strings. Each prints a checksum of what it touched.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kWords = 1 << 20 };
// Sizes are in eighths of the usual one; this much of `n` is to be done, at least one.
static uint32_t eighths = 8;
static uint64_t of(uint64_t n) {
  uint64_t part = n * eighths / 8;
  return part ? part : 1;
}
static uint64_t a[kWords], b[kWords], c[kWords];
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static uint64_t checksum(const uint64_t* p) {
  uint64_t sum = 0;
  for (int i = 0; i < kWords; i += 61) sum = sum * 1000003 + p[i];
  return sum;
}

static uint64_t stream(void) {
  for (int i = 0; i < kWords; i++) a[i] = i, b[i] = 3 * i;
  for (uint64_t round = of(8); round > 0; round--) {
    for (int i = 0; i < kWords; i++) c[i] = a[i] + 7 * b[i];
    for (int i = 0; i < kWords; i++) a[i] = c[i] ^ b[i];
  }
  return checksum(a);
}

static uint64_t copy(void) {
  for (int i = 0; i < kWords; i++) a[i] = i * 0x9e3779b97f4a7c15u;
  for (uint64_t round = of(40); round > 0; round--) {
    memcpy(b, a, sizeof a);
    memmove(a, (char*)b + 8, sizeof a - 8);
  }
  return checksum(a);
}

static uint64_t chase(void) {
  for (int i = 0; i < kWords; i++) a[i] = i;
  // One cycle through all words, so that no shortcut returns early.
  for (int i = kWords - 1; i > 0; i--) {
    int j = next_random() % i;
    uint64_t t = a[i];
    a[i] = a[j], a[j] = t;
  }
  uint64_t at = 0;
  for (uint64_t i = of(3000000); i > 0; i--) at = a[at];
  return at;
}

// Open addressing over 64 MiB: each look-up misses the caches.
static uint64_t hash(void) {
  enum { kSlots = 1 << 23 };
  static uint64_t keys[kSlots];
  const uint64_t count = of(1000000) < kSlots / 2 ? of(1000000) : kSlots / 2;
  uint64_t found = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t key = next_random() | 1, at = (key * 0x9e3779b97f4a7c15u) >> 41;
    while (keys[at] != 0 && keys[at] != key) at = (at + 1) & (kSlots - 1);
    keys[at] = key;
  }
  state = 88172645463325252u;
  for (uint64_t i = of(2000000); i > 0; i--) {
    uint64_t key = next_random() | 1, at = (key * 0x9e3779b97f4a7c15u) >> 41;
    while (keys[at] != 0 && keys[at] != key) at = (at + 1) & (kSlots - 1);
    found += keys[at] == key;
  }
  return found;
}

// Arrays of 32-bit numbers that stay in the caches: prefix sums, a stencil, a small integer matrix product.
static uint64_t arrays(void) {
  enum { kCount = 4096, kSide = 64 };
  static int32_t x[kCount], y[kCount], m[3][kSide][kSide];
  uint64_t sum = 0;
  for (int i = 0; i < kCount; i++) x[i] = (int32_t)next_random(), m[0][i / kSide % kSide][i % kSide] = x[i] & 255;
  for (uint64_t round = 0, end = of(12000); round < end; round++) {
    for (int i = 1; i < kCount; i++) x[i] += x[i - 1];
    for (int i = 1; i < kCount - 1; i++) y[i] = (x[i - 1] + 2 * x[i] + x[i + 1]) >> 2;
    for (int i = 0; i < kCount; i++) x[i] = y[i] ^ (int32_t)round;
  }
  for (uint64_t round = 0, end = of(400); round < end; round++)
    for (int i = 0; i < kSide; i++)
      for (int j = 0; j < kSide; j++) {
        int32_t s = (int32_t)round;
        for (int k = 0; k < kSide; k++) s += m[0][i][k] * m[round & 1][k][j];
        m[1][i][j] = s, sum += (uint32_t)s;
      }
  for (int i = 0; i < kCount; i++) sum = sum * 31 + (uint32_t)x[i];
  return sum;
}

static uint64_t scatter(void) {
  memset(a, 0, sizeof a);
  for (uint64_t i = of(4000000); i > 0; i--) {
    uint64_t r = next_random();
    a[r & (kWords - 1)] += r;
  }
  return checksum(a);
}

static uint64_t strings(void) {
  char* text = (char*)a;
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof a; i++) text[i] = 'a' + i % 23;
  for (size_t i = 40; i < sizeof a; i += 41) text[i] = 0;
  text[sizeof a - 1] = 0;
  for (uint64_t round = 0, end = of(22); round < end; round++) {
    for (char* p = text; p < text + sizeof a;) {
      size_t n = strlen(p);
      char* found = strchr(p, 'a' + (int)(round % 22));
      sum = sum * 31 + n + (found ? found - p : 0) + (strcmp(p, text) > 0);
      p += n + 1;
    }
  }
  return sum;
}

static uint64_t bytes(void) {
  uint8_t* p = (uint8_t*)a;
  uint64_t counts[256] = {0}, sum = 0;
  for (int i = 0; i < kWords; i++) a[i] = next_random();
  for (uint64_t round = of(18); round > 0; round--)
    for (size_t i = 0; i < sizeof a; i++) counts[p[i]]++, p[i] = p[i] * 5 + 1;
  for (int i = 0; i < 256; i++) sum = sum * 1000003 + counts[i];
  return sum;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    uint64_t (*run)(void);
  } table[] = {{"stream", stream}, {"copy", copy}, {"chase", chase}, {"scatter", scatter}, {"strings", strings}, {"bytes", bytes}, {"hash", hash}, {"arrays", arrays}};
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3) eighths = (uint32_t)atoi(argv[2]);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (!strcmp(argv[1], table[i].name)) return printf("%016llx\n", (unsigned long long)table[i].run()) < 0;
  return 2;
}
