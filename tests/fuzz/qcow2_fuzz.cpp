// SPDX-License-Identifier: MIT
// libFuzzer target: damaged qcow2 images (see tests/disk/qcow2_input.h).
#include "disk/qcow2_input.h"

extern "C" int LLVMFuzzerTestOneInput(const pagoda::u8* data, std::size_t size) {
  pagoda::test::run_qcow2_input({data, size});
  return 0;
}
