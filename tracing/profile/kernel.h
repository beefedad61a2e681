/* SPDX-License-Identifier: MIT */
/*
 * The Linux kernel that this program runs on, domain 0's, as far as a profile needs it: symbols, ORC
 * tables, and where it has the running task.  All of it is read from the running kernel: no file of
 * it, no debug information.
 */
#ifndef TRACING_PROFILE_KERNEL_H
#define TRACING_PROFILE_KERNEL_H

#include "../symbols/kallsyms.h"
#include "btf.h"
#include "kcore.h"
#include "orc.h"

struct kernel {
    struct symtab symbols;
    bool from_image;            /* out of its memory: /proc/kallsyms has no addresses; no modules */
    struct orc_tables orc;      /* none: nr == 0, and why_no_orc says why */
    char why_no_orc[128];
    uint64_t text_start, text_end;   /* modules, too */
    uint64_t hypercall_page;    /* 0: not known */
    uint64_t current_task;      /* offset from the kernel's GS base; 0: not known */
    int64_t pid, tgid, comm;    /* offsets in struct task_struct; -1: not known */
    uint64_t generation;        /* of modules, when all this was read */
    unsigned int modules_without_orc;
};

/* 0 or a negative errno: without symbols nothing can be done, without the rest less. */
int kernel_read(struct kernel *k);
void kernel_free(struct kernel *k);

/* Read again if modules came or went since: 1 if so, 0 if not, or a negative errno. */
int kernel_refresh(struct kernel *k);

#endif
