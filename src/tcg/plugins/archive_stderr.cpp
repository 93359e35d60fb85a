// SPDX-License-Identifier: MIT
// Debian's asmjit is an archive for programs: it reaches stderr, a variable of the C library, as only a program can. In
// a shared object linked with --wrap=stderr it means this variable of the object's own.
#include <cstdio>

extern "C" {
extern FILE* __real_stderr;
FILE* __wrap_stderr = nullptr;
}

__attribute__((constructor)) static void find_stderr() { __wrap_stderr = __real_stderr; }
