/* SPDX-License-Identifier: MIT */
/* Processor vectors, and numbers of our own for the other entries from the hypervisor. */
#ifndef KTEST_VECTORS_H
#define KTEST_VECTORS_H

#define VEC_DE 0
#define VEC_DB 1
#define VEC_BP 3
#define VEC_OF 4
#define VEC_BR 5
#define VEC_UD 6
#define VEC_NM 7
#define VEC_DF 8
#define VEC_TS 10
#define VEC_NP 11
#define VEC_SS 12
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MF 16
#define VEC_AC 17
#define VEC_XM 19

#define VEC_EVENT 0x100
#define VEC_SYSCALL 0x101
#define VEC_SYSENTER 0x102
#define VEC_SYSCALL32 0x103
#define VEC_NMI 0x104
#define VEC_FAILSAFE 0x105
#define VEC_ALT 0x106 /* a second handler, to see a registration change */

#endif
