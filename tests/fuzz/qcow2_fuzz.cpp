// SPDX-License-Identifier: MIT
// Fuzz target: damaged qcow2 images (see tests/disk/qcow2_input.h).
#include "disk/qcow2_input.h"
#include "fuzz/target.h"

std::vector<std::vector<pagoda::u8>> pagoda::test::fuzz_seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const pagoda::u8* data, std::size_t size) {
  pagoda::test::run_qcow2_input({data, size});
  return 0;
}
