// SPDX-License-Identifier: MIT
// Hooks named in csr.def, by subject: csr_status.cpp, csr_counters.cpp, csr_fp.cpp, csr_aia.cpp,
// csr_state.cpp.
//
// A read hook returns the register's value, a write hook takes the new one. `index` counts from 0 within the row.
#pragma once

#include "cpu/riscv64/csr.h"

namespace pagoda::riscv64::hooks {

#define READS(name) u64 name(const CsrContext& context, u32 index)
#define WRITES(name) void name(const CsrContext& context, u32 index, u64 value)
READS(read_fflags);
READS(read_frm);
READS(read_fcsr);
WRITES(write_fflags);
WRITES(write_frm);
WRITES(write_fcsr);

READS(read_cycle);
READS(read_time);
READS(read_instret);
WRITES(write_mcycle);
WRITES(write_minstret);
READS(read_hpmcounter);
READS(read_mhpmevent);
READS(read_mcyclecfg);
READS(read_minstretcfg);
READS(read_scountovf);
WRITES(write_mhpmcounter);
WRITES(write_mhpmevent);
WRITES(write_mcyclecfg);
WRITES(write_minstretcfg);
WRITES(write_mcountinhibit);
WRITES(write_mcounteren);
WRITES(write_scounteren);
WRITES(write_stimecmp);

READS(read_mstatus);
READS(read_sstatus);
READS(read_sie);
READS(read_sip);
READS(read_mip);
READS(read_mhartid);
READS(read_misa);
READS(read_tinfo);
READS(read_pmpcfg0);
READS(read_pmpcfg2);
READS(read_pmpaddr);
WRITES(write_mstatus);
WRITES(write_sstatus);
WRITES(write_sie);
WRITES(write_sip);
WRITES(write_mie);
WRITES(write_mip);
WRITES(write_mideleg);
WRITES(write_menvcfg);
WRITES(write_senvcfg);
WRITES(write_sepc);
WRITES(write_mepc);
WRITES(write_satp);
WRITES(write_pmpcfg0);
WRITES(write_pmpcfg2);
WRITES(write_pmpaddr);

READS(read_seed);
READS(read_mstateen);
WRITES(write_mstateen);

READS(read_sireg);
READS(read_stopei);
READS(read_stopi);
READS(read_mireg);
READS(read_mtopei);
READS(read_mtopi);
READS(read_mvip);
WRITES(write_sireg);
WRITES(write_stopei);
WRITES(write_mireg);
WRITES(write_mtopei);
WRITES(write_mvip);
#undef READS
#undef WRITES

}  // namespace pagoda::riscv64::hooks
