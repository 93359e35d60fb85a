// SPDX-License-Identifier: MIT
// What the kernel does for programs: system calls, pipes, processes, page faults, signals, threads.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Sizes are in eighths of the usual one; this much of `n` is to be done, at least one.
static uint32_t eighths = 8;
static uint64_t of(uint64_t n) {
  uint64_t part = n * eighths / 8;
  return part ? part : 1;
}

static uint64_t calls(void) {
  uint64_t sum = 0;
  for (uint64_t i = of(500000); i > 0; i--) sum += syscall(SYS_getppid) > 0;
  return sum;
}

static uint64_t reads(void) {
  static char buffer[65536];
  uint64_t sum = 0;
  int zero = open("/dev/zero", O_RDONLY), sink = open("/dev/null", O_WRONLY);
  for (uint64_t i = of(3500); i > 0; i--) sum += read(zero, buffer, sizeof buffer) + write(sink, buffer, sizeof buffer);
  return sum;
}

static uint64_t pipes(void) {
  int to[2], from[2];
  uint64_t value = 0;
  if (pipe(to) || pipe(from)) return 0;
  if (!fork()) {
    close(to[1]);
    while (read(to[0], &value, 8) == 8) value += 3, value = write(from[1], &value, 8) == 8 ? value : 0;
    _exit(0);
  }
  for (uint64_t i = of(3000); i > 0; i--)
    if (write(to[1], &value, 8) != 8 || read(from[0], &value, 8) != 8) return 0;
  close(to[1]);
  wait(NULL);
  return value;
}

static uint64_t processes(void) {
  uint64_t sum = 0;
  for (uint64_t i = 0, end = of(300); i < end; i++) {
    int status = 0;
    if (!fork()) _exit(i & 63);
    wait(&status);
    sum += WEXITSTATUS(status);
  }
  return sum;
}

static uint64_t programs(void) {
  uint64_t sum = 0;
  for (uint64_t i = of(60); i > 0; i--) {
    int status = 0;
    if (!vfork()) execl("/bin/busybox", "false", (char*)NULL), _exit(9);
    wait(&status);
    sum += WEXITSTATUS(status);
  }
  return sum;
}

static uint64_t faults(void) {
  enum { kBytes = 8 << 20 };
  uint64_t sum = 0;
  for (uint64_t round = of(8); round > 0; round--) {
    char* p = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return 0;
    for (size_t i = 0; i < kBytes; i += 4096) p[i] = (char)i, sum += p[i + 8] + 1;
    munmap(p, kBytes);
  }
  return sum;
}

// What a guest's own JIT does: writes a function, makes it visible, calls it.
static uint64_t own_code(void) {
#ifdef __riscv
  uint32_t* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t sum = 0;
  if (code == MAP_FAILED) return 0;
  for (uint64_t i = 0, end = of(20000); i < end; i++) {
    code[0] = (uint32_t)(i & 2047) << 20 | 10 << 15 | 10 << 7 | 0x13;  // addi a0, a0, i
    code[1] = 0x00008067;                                    // ret
    __builtin___clear_cache((char*)code, (char*)(code + 2));
    for (int call = 0; call < 50; call++) sum = ((uint64_t(*)(uint64_t))code)(sum);
  }
  return sum;
#else
  return 0;
#endif
}

static volatile uint64_t caught;
static void on_signal(int number) { caught += number; }

static uint64_t signals(void) {
  signal(SIGUSR1, on_signal);
  for (uint64_t i = of(2700); i > 0; i--) raise(SIGUSR1);
  return caught;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void* player(void* me) {
  for (uint64_t i = of(5000); i > 0; i--) {
    pthread_mutex_lock(&lock);
    while (turn != (int)(intptr_t)me) pthread_cond_wait(&changed, &lock);
    turn = !turn;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static uint64_t threads(void) {
  pthread_t other;
  if (pthread_create(&other, NULL, player, (void*)1)) return 0;
  player((void*)0);
  pthread_join(other, NULL);
  return of(5000) + turn;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    uint64_t (*run)(void);
  } table[] = {{"calls", calls}, {"reads", reads}, {"pipes", pipes}, {"processes", processes},
               {"programs", programs}, {"faults", faults}, {"signals", signals}, {"threads", threads},
               {"own-code", own_code}};
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3) eighths = (uint32_t)atoi(argv[2]);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (!strcmp(argv[1], table[i].name)) return printf("%016llx\n", (unsigned long long)table[i].run()) < 0;
  return 2;
}
