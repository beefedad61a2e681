/* SPDX-License-Identifier: MIT */
#include "prog.h"

#include "pages.h"
#include "snippet.h"

SNIPPET(made, ".balign 4096", "syscall");

#define USER_CODE 0x20000000000ul /* in the lower half: the lean path goes back to no other */

struct program *make_program(uint32_t kind, uint32_t number, uint64_t address,
                             const struct fast_insn *insns, uint32_t n)
{
    static struct program p __attribute__((aligned(8)));

    ktest_require(n <= sizeof(p.insns) / sizeof(p.insns[0]));
    memset(&p, 0, sizeof(p));
    p.head = (struct fast_header){
        .magic = FAST_MAGIC, .version = FAST_VERSION, .header_bytes = sizeof(p.head),
        .total_bytes = sizeof(p.head) + n * sizeof(*insns), .insns = n, .attach_kind = kind,
        .attach_number = number, .attach_address = address, .name = "test",
    };
    memcpy(p.insns, insns, n * sizeof(*insns));
    return &p;
}

long install_op(const struct program *p, struct radon_fast_install *op)
{
    long rc;

    op->domain = DOMID_SELF;
    op->bytes = p->head.total_bytes;
    op->program = (uint64_t)p;
    rc = radon_op(RADON_FAST_INSTALL, op);
    if (rc)
        return rc;
    return op->refusal ? -1000 - (long)op->refusal : (long)op->id;
}

long install(const struct program *p, uint32_t flags)
{
    struct radon_fast_install op = { .flags = (uint16_t)flags };

    return install_op(p, &op);
}

long control(uint32_t id, uint32_t state)
{
    struct radon_fast_control op = { id, state };

    return radon_op(RADON_FAST_CONTROL, &op);
}

static bool find(uint32_t id, struct radon_fast_info *info)
{
    struct radon_fast_list list = { .domain = DOMID_SELF, .room = 1, .info = (uint64_t)info,
                                    .first_id = id };

    return radon_op(RADON_FAST_LIST, &list) == 0 && list.room == 1 && info->id == id;
}

struct radon_fast_info info_of(uint32_t id)
{
    struct radon_fast_info info;

    ktest_require(find(id, &info));
    return info;
}

bool exists(uint32_t id)
{
    struct radon_fast_info info;

    return find(id, &info);
}

struct exception user_syscall(uint64_t number, uint64_t rdi, uint64_t rsi)
{
    struct ktest_regs regs = regs_user((void *)USER_CODE);
    struct exception e;

    map_low(USER_CODE, made_at);

    regs.rax = number;
    regs.rdi = rdi;
    regs.rsi = rsi;
    regs.rflags |= RFLAGS_IF;
    e = run_iret(regs);
    this_cpu()->info->evtchn_upcall_mask = 1;
    return e;
}
