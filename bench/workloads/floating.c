// SPDX-License-Identifier: MIT
// Floating-point workloads. Each prints its result in full precision, so that any wrong rounding shows.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Sizes are in eighths of the usual one; this much of `n` is to be done, at least one.
static uint32_t eighths = 8;
static uint64_t of(uint64_t n) {
  uint64_t part = n * eighths / 8;
  return part ? part : 1;
}

static double matrix(void) {
  enum { kSize = 160 };
  static double a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];
  for (int i = 0; i < kSize; i++)
    for (int j = 0; j < kSize; j++) a[i][j] = 1.0 / (i + j + 1), b[i][j] = i - 0.5 * j;
  for (uint64_t round = of(12); round > 0; round--)
    for (int i = 0; i < kSize; i++)
      for (int k = 0; k < kSize; k++)
        for (int j = 0; j < kSize; j++) c[i][j] += a[i][k] * b[k][j];
  double sum = 0;
  for (int i = 0; i < kSize; i++)
    for (int j = 0; j < kSize; j++) sum += c[i][j] * ((i * 7 + j) % 5 - 2);
  return sum;
}

static double mandelbrot(void) {
  double sum = 0;
  // Lines of the image from its middle on, again and again: those at the edge are done at once.
  for (uint64_t line = 0, end = of(440); line < end; line++) {
    const uint64_t y = (line + 220) % 440;
    for (int x = 0; x < 440; x++) {
      double cr = x / 220.0 - 1.5, ci = y / 220.0 - 1.0, zr = 0, zi = 0;
      int n = 0;
      for (; n < 200 && zr * zr + zi * zi < 4.0; n++) {
        double t = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci, zr = t;
      }
      sum += n + zr;
    }
  }
  return sum;
}

static double bodies(void) {
  double p[5][3], v[5][3], m[5];
  for (int i = 0; i < 5; i++) {
    m[i] = i ? 0.001 * i : 40;
    for (int k = 0; k < 3; k++) p[i][k] = i * (1.5 + k) + (i ^ k), v[i][k] = i ? 0.3 * (k - 1) * i : 0;
  }
  for (uint64_t step = of(240000); step > 0; step--) {
    for (int i = 0; i < 5; i++) {
      for (int j = i + 1; j < 5; j++) {
        double d[3], square = 1e-9;
        for (int k = 0; k < 3; k++) d[k] = p[i][k] - p[j][k], square += d[k] * d[k];
        double f = 0.001 / (square * sqrt(square));
        for (int k = 0; k < 3; k++) v[i][k] -= d[k] * m[j] * f, v[j][k] += d[k] * m[i] * f;
      }
    }
    for (int i = 0; i < 5; i++)
      for (int k = 0; k < 3; k++) p[i][k] += 0.001 * v[i][k];
  }
  return p[0][0] + p[1][1] + p[4][2];
}

static double single(void) {
  static float x[4096], y[4096];
  for (int i = 0; i < 4096; i++) x[i] = 1.0f / (i + 1), y[i] = (float)(i % 13);
  float sum = 0;
  for (uint64_t round = of(3000); round > 0; round--)
    for (int i = 0; i < 4096; i++) y[i] = y[i] * 0.999f + x[i], sum += y[i] * x[4095 - i];
  return sum;
}

static double library(void) {
  double sum = 0;
  for (uint64_t i = 1, end = of(250000); i < end; i++) {
    double x = i * 0.0007;
    sum += sin(x) * exp(-x * 0.01) + log(x) / cbrt(x) + atan2(x, 3.0) + pow(x, 0.3);
  }
  return sum;
}

static double convert(void) {
  double sum = 0;
  uint64_t r = 88172645463325252u;
  for (uint64_t i = of(6000000); i > 0; i--) {
    r ^= r << 13, r ^= r >> 7, r ^= r << 17;
    double d = (double)(int64_t)r;
    float f = (float)d;
    sum += (int32_t)(f * 1e-12f) + (d < f ? 0.5 : 0.25);
  }
  return sum;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    double (*run)(void);
  } table[] = {{"matrix", matrix}, {"mandelbrot", mandelbrot}, {"bodies", bodies}, {"single", single},
               {"library", library}, {"convert", convert}};
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3) eighths = (uint32_t)atoi(argv[2]);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (!strcmp(argv[1], table[i].name)) return printf("%a\n", table[i].run()) < 0;
  return 2;
}
