// SPDX-License-Identifier: MIT
// Where harts enter the firmware: at reset, on traps, and on the way out to supervisor mode.

#include "layout.h"

#define PAUSE .word 0x0100000f
// CSR instructions without their CSR, for numbers that the assembler counts up.
#define CSRR_A0 0x00002573
#define CSRW_A1 0x00059073

    .section .text.entry, "ax"
    .globl _start
// All harts start here: a0 = hart id, a1 = device tree, a2 = fw_dynamic_info or anything else.
_start:
    csrw mie, zero
    csrw mscratch, zero
    // The hart named by the boot information boots. Where there is none, a2 may be no address at all: then the loads
    // fault, and the fault leads to the lottery as well.
    lla t0, lottery
    csrw mtvec, t0
    beqz a2, lottery
    andi t0, a2, 7
    bnez t0, lottery
    ld t0, 0(a2)
    li t1, BOOT_INFO_MAGIC
    bne t0, t1, lottery
    ld t0, BOOT_INFO_VERSION(a2)
    li t1, 2
    bltu t0, t1, lottery
    ld t0, BOOT_INFO_BOOT_HART(a2)
    li t1, -1
    beq t0, t1, lottery
    beq t0, a0, boot
    j wait_until_ready

    .balign 4
lottery:
    lla t0, lottery_ticket
    li t1, 1
    amoadd.w.aqrl t0, t1, (t0)
    bnez t0, wait_until_ready

boot:
    mv s0, a0
    lla t0, bss_start
    lla t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  lla tp, harts + MAX_HARTS * HART_SIZE
    sd zero, HART_RECOVER(tp)
    lla sp, stacks + (MAX_HARTS + 1) * STACK_SIZE
    sd sp, HART_STACK_TOP(tp)
    lla t0, trap_entry
    csrw mtvec, t0
    call discover
    mv a0, s0
    lla t0, ready
    li t1, 1
    fence rw, w
    sw t1, 0(t0)

// Each hart looks for its slot once the boot hart has filled the table.
wait_until_ready:
    lla t0, ready
1:  lw t1, 0(t0)
    bnez t1, 2f
    PAUSE
    j 1b
2:  fence r, rw
    lla t0, hart_count
    lw t0, 0(t0)
    lla tp, harts
3:  beqz t0, park
    ld t1, HART_ID(tp)
    beq t1, a0, 4f
    addi tp, tp, HART_SIZE
    addi t0, t0, -1
    j 3b
4:  ld sp, HART_STACK_TOP(tp)
    lla t0, trap_entry
    csrw mtvec, t0
    mv a0, tp
    call hart_main

// A hart the device tree does not know sleeps for good.
    .globl park
park:
    csrw mie, zero
1:  wfi
    j 1b

// mscratch holds the Hart while in lower privilege modes and zero while in machine mode.
    .balign 4
trap_entry:
    csrrw tp, mscratch, tp
    beqz tp, trap_from_machine
    sd x1, HART_X(1)(tp)
    sd x2, HART_X(2)(tp)
    .irp reg, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    sd x\reg, HART_X(\reg)(tp)
    .endr
    csrr t0, mscratch
    sd t0, HART_X(4)(tp)
    csrw mscratch, zero
    csrr t0, mepc
    sd t0, HART_MEPC(tp)
    csrr t0, mstatus
    sd t0, HART_MSTATUS(tp)
    ld sp, HART_STACK_TOP(tp)
    csrr a1, mcause
    mv a0, tp
    // Only the emulation of an instruction can want the registers that C++ preserves by itself.
    li t0, 2
    beq a1, t0, trap_with_all_registers
    call handle_trap
trap_return:
    ld t0, HART_MEPC(tp)
    csrw mepc, t0
    ld t0, HART_MSTATUS(tp)
    csrw mstatus, t0
    csrw mscratch, tp
    ld x1, HART_X(1)(tp)
    ld x2, HART_X(2)(tp)
    .irp reg, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    ld x\reg, HART_X(\reg)(tp)
    .endr
    ld tp, HART_X(4)(tp)
    mret

trap_with_all_registers:
    .irp reg, 3, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    sd x\reg, HART_X(\reg)(tp)
    .endr
    call handle_trap
    .irp reg, 3, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    ld x\reg, HART_X(\reg)(tp)
    .endr
    j trap_return

// The firmware itself trapped: the guarded accesses expect that (t0 is theirs to lose), anything else is a defect.
trap_from_machine:
    csrrw tp, mscratch, tp
    ld t0, HART_RECOVER(tp)
    beqz t0, 1f
    csrw mepc, t0
    mret  // into machine mode; mstatus and mepc of the interrupted context are safe in Hart
1:  csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    ld sp, HART_STACK_TOP(tp)
    call machine_trap_panic
    j park

// int64_t guarded_load_byte(uint64_t address): the byte, or -1 if the access faults.
    .globl guarded_load_byte
guarded_load_byte:
    lla t0, 1f
    sd t0, HART_RECOVER(tp)
    lbu a0, 0(a0)
    sd zero, HART_RECOVER(tp)
    ret
1:  sd zero, HART_RECOVER(tp)
    li a0, -1
    ret

// int64_t guarded_store_byte(uint64_t address, uint8_t byte): 0, or -1 if the access faults.
    .globl guarded_store_byte
guarded_store_byte:
    lla t0, 1f
    sd t0, HART_RECOVER(tp)
    sb a1, 0(a0)
    sd zero, HART_RECOVER(tp)
    li a0, 0
    ret
1:  sd zero, HART_RECOVER(tp)
    li a0, -1
    ret

// int64_t guarded_fetch_parcel(uint64_t address, uint64_t mprv): 16 bits of code as the trapped context sees them, or -1.
    .globl guarded_fetch_parcel
guarded_fetch_parcel:
    lla t0, 1f
    sd t0, HART_RECOVER(tp)
    csrs mstatus, a1
    lhu a0, 0(a0)
    csrc mstatus, a1
    sd zero, HART_RECOVER(tp)
    ret
1:  csrc mstatus, a1
    sd zero, HART_RECOVER(tp)
    li a0, -1
    ret

// Counter registers by number: counter_write(uint64_t number, uint64_t value), uint64_t counter_config_read(uint64_t
// number), counter_config_write(uint64_t number, uint64_t value). A CSR's number is part of its instruction, so each has
// two instructions here.
    .macro by_counter_number name, csr, access
    .globl \name
\name:
    lla t0, 1f
    slli a0, a0, 3
    add t0, t0, a0
    jr t0
    .option push
    .option norvc
1:
    .set csr_number, \csr
    .rept 32
    .word csr_number << 20 | \access
    ret
    .set csr_number, csr_number + 1
    .endr
    .option pop
    .endm
    by_counter_number counter_write, 0xb00, CSRW_A1
    by_counter_number counter_config_read, 0x320, CSRR_A0
    by_counter_number counter_config_write, 0x320, CSRW_A1

// enter_lower_mode(uint64_t a0, uint64_t a1): mepc and mstatus are set; no other register leaks out.
    .globl enter_lower_mode
enter_lower_mode:
    csrw mscratch, tp
    .irp reg, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li x\reg, 0
    .endr
    mret

    .section .data
    .balign 4
lottery_ticket:
    .word 0
ready:
    .word 0
