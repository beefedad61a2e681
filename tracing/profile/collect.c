/* SPDX-License-Identifier: MIT */
#include "collect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../reader/catalogue.h"
#include "../reader/names.h"

enum { WORD_PIDS, WORD_COMM, WORD_COMM2, WORD_TGID };

void collect_task_words(const struct kernel *k, uint32_t words[4])
{
    memset(words, 0, 4 * sizeof(*words));
    if (!k->current_task || k->pid < 0 || k->comm < 0)
        return;
    words[WORD_PIDS] = (uint32_t)k->pid + 1;
    words[WORD_COMM] = (uint32_t)k->comm + 1;
    words[WORD_COMM2] = (uint32_t)k->comm + 9;
    if (k->tgid >= 0)
        words[WORD_TGID] = (uint32_t)k->tgid + 1;
}

/* ------------------------------------------------------------------ a stack being built */

/* Innermost first; turned round when it is kept. */
struct building {
    uint32_t frame[PROFILE_DEPTH];
    uint32_t nr;
};

static void push(struct collector *c, struct building *b, enum frame_kind kind, const char *name,
                 const char *module)
{
    uint32_t number;

    if (b->nr == PROFILE_DEPTH - 1) /* the root's place is kept free */
        return;
    number = profile_frame(c->profile, kind, name, module);
    if (number == UINT32_MAX)
        c->failed = true;
    else
        b->frame[b->nr++] = number;
}

static void push_address(struct collector *c, struct building *b, enum frame_kind kind,
                         uint64_t address, const char *module)
{
    char name[32];

    snprintf(name, sizeof(name), "0x%" PRIx64, address);
    push(c, b, kind, name, module);
}

/* ------------------------------------------------------------------ the hypervisor */

static const char *entry_name(uint32_t entry, char buf[64])
{
    uint32_t kind = entry & 0xff, number = entry >> 8;
    const char *name = NULL;

    switch (kind) {
    case RADON_SITE_SYSCALL:
        return "bounce:syscall";
    case RADON_SITE_HYPERCALL:
        if (number == RADON_PROFILE_NO_NUMBER)
            return "hypercall";
        name = number < TRACE_HYPERCALLS ? trace_calls[number].name : NULL;
        if (name)
            snprintf(buf, 64, "hypercall:%s", name);
        else
            snprintf(buf, 64, "hypercall:%u", number);
        return buf;
    case RADON_SITE_TRAP:
        name = number < TRACE_VECTORS ? trace_vector_names[number] : NULL;
        if (name)
            snprintf(buf, 64, "trap:%s", name);
        else
            snprintf(buf, 64, "trap:%u", number);
        return buf;
    case RADON_SITE_PAGE_FAULT:
        return "trap:page_fault";
    case RADON_SITE_EMULATION:
        return "emulation";
    case RADON_SITE_INTERRUPT:
        if (!number)
            return "bounce:event";
        snprintf(buf, 64, "interrupt:%u", number);
        return buf;
    }
    return "entry";
}

static void push_handler(struct collector *c, struct building *b, uint32_t id)
{
    char name[RADON_FAST_NAME_BYTES + 1] = "", text[64];

    if (c->handler_name && c->handler_name(c->ctx, id, name) && *name)
        snprintf(text, sizeof(text), "handler:%s", name);
    else
        snprintf(text, sizeof(text), "handler:%u", id);
    push(c, b, FRAME_HANDLER, text, "");
}

static void push_hypervisor(struct collector *c, struct building *b, const struct collecting *s)
{
    struct symbol_hit hit;
    char buf[64];

    if (s->handler)
        push_handler(c, b, (uint32_t)s->handler);
    else if (s->hv_rip && c->hypervisor && symtab_lookup(c->hypervisor, s->hv_rip, &hit))
        push(c, b, FRAME_HYPERVISOR, hit.name, "");
    push(c, b, FRAME_HYPERVISOR, entry_name(s->entry, buf), "");
}

/* ------------------------------------------------------------------ the guest kernel */

static void push_kernel(struct collector *c, struct building *b, const struct collecting *s,
                        uint64_t ip, bool is_return)
{
    struct symbol_hit hit;

    if (s->domain == 0 && symtab_lookup(&c->kernel->symbols, ip - is_return, &hit))
        push(c, b, FRAME_KERNEL, hit.name, hit.module);
    else
        push_address(c, b, FRAME_KERNEL, ip, s->domain ? "domain" : "");
}

static const struct stack_word *word_at(const struct collecting *s, uint64_t at)
{
    for (uint32_t i = 0; i < s->nr_words; i++)
        if (s->word[i].at == at)
            return &s->word[i];
    return NULL;
}

/*
 * In the hypercall page that older kernels have, whose code is the hypervisor's, not what ORC tables speak of: push rcx, push
 * r11, mov, syscall, pop r11, pop rcx, ret, in 32 bytes for each number.  How far up the return
 * address is.
 */
static uint64_t hypercall_page_depth(uint64_t rip)
{
    unsigned int at = rip % 32;

    if (at == 0 || at >= 13)
        return 0;
    return at == 1 || at == 12 ? 8 : 16;
}

/* Whether rip is where the kernel is entered: its tables say that nothing is known of the stack. */
static bool at_handler(const struct kernel *k, uint64_t rip)
{
    const struct orc_entry *e = orc_find(&k->orc, rip);

    return e && orc_is_entry(e);
}

/*
 * Where unwinding begins: v is filled in.  False: there is no guest kernel below, since the entry came
 * from the user.
 */
static bool begin_view(const struct collector *c, const struct collecting *s, struct stack_view *v)
{
    const struct kernel *k = c->kernel;
    const struct stack_word *ip, *sp;
    uint64_t at;

    *v = (struct stack_view){ .rip = s->rip, .rsp = s->rsp, .rbp = s->rbp, .word = s->word,
                              .nr = s->nr_words, .text_start = k->text_start,
                              .text_end = k->text_end };
    if (k->hypercall_page && s->rip - k->hypercall_page < 4096) {
        at = s->rsp + hypercall_page_depth(s->rip);
        ip = word_at(s, at);
        if (!ip)
            return false;
        v->rip = ip->value;
        v->rsp = at + 8;
        v->rip_is_return = true;
        return true;
    }
    if (s->rip < k->text_start)
        return false;
    if (!at_handler(k, s->rip))
        return true;
    /* At a handler's first instruction: rcx, r11, [error code], rip, cs, rflags, rsp, ss. */
    for (at = s->rsp + 16; at <= s->rsp + 24; at += 8) {
        ip = word_at(s, at);
        sp = word_at(s, at + 24);
        if (ip && sp && ip->value >= k->text_start && sp->value > at) {
            v->rip = ip->value;
            v->rsp = sp->value;
            return true;
        }
    }
    return s->mode == RADON_PROFILE_KERNEL; /* it has come so far: nothing is below, or nobody knows */
}

/* The leaf, and the first word above that may be a return address. */
static enum stack_how push_leaf(struct collector *c, struct building *b,
                                const struct collecting *s, const struct stack_view *v)
{
    push_kernel(c, b, s, v->rip, v->rip_is_return);
    for (uint32_t i = 0; i < s->nr_words; i++)
        if (s->word[i].at >= v->rsp && s->word[i].value >= v->text_start &&
            s->word[i].value < v->text_end) {
            push_kernel(c, b, s, s->word[i].value, true);
            break;
        }
    return STACK_LEAF;
}

static enum stack_how push_kernel_stack(struct collector *c, struct building *b,
                                        const struct collecting *s)
{
    uint64_t ip[PROFILE_DEPTH];
    struct stack_view v;
    enum unwind_end end;
    size_t nr;

    if (!begin_view(c, s, &v))
        return STACK_ORC; /* to its end: there is none */
    if (s->domain || !c->kernel->orc.nr)
        return push_leaf(c, b, s, &v);
    end = orc_unwind(&c->kernel->orc, &v, ip, PROFILE_DEPTH, &nr);
    if (end != UNWIND_DONE && nr == 1)
        return push_leaf(c, b, s, &v);
    for (size_t i = 0; i < nr; i++)
        push_kernel(c, b, s, ip[i], i || v.rip_is_return);
    return end == UNWIND_DONE ? STACK_ORC : STACK_PARTIAL;
}

/* ------------------------------------------------------------------ the user */

static uint32_t pid_of(const struct collecting *s)
{
    return (uint32_t)s->task[WORD_TGID];
}

static const char *comm_of(const struct collecting *s)
{
    return (const char *)&s->task[WORD_COMM];
}

/* A frame of the running process; false if its address is not of code that is known. */
static bool push_user(struct collector *c, struct building *b, const struct collecting *s,
                      uint64_t ip, bool is_return)
{
    struct symbol_hit hit;
    char file[128];

    if (!user_symbols_lookup(c->users, pid_of(s), comm_of(s), ip - is_return, &hit))
        return false;
    snprintf(file, sizeof(file), "[%s]", hit.module); /* one frame for all that has no name there */
    push(c, b, FRAME_USER, *hit.name ? hit.name : file, hit.module);
    return true;
}

/* Whether the function around the user's rip makes a frame: [endbr64;] push %rbp; mov %rsp, %rbp. */
static bool makes_frame(struct collector *c, const struct collecting *s)
{
    static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa }, frame[4] = { 0x55, 0x48, 0x89,
                                                                              0xe5 };
    uint8_t code[8];
    struct symbol_hit hit;

    if (!user_symbols_lookup(c->users, pid_of(s), comm_of(s), s->caller[0], &hit) || !*hit.name)
        return true;
    if (!user_symbols_code(c->users, pid_of(s), comm_of(s), s->caller[0] - hit.offset, code,
                           sizeof(code)))
        return true;
    return !memcmp(code, frame, 4) || (!memcmp(code, endbr64, 4) && !memcmp(code + 4, frame, 4));
}

/*
 * A leaf without a frame, such as the C library's system calls: frame pointers lead past its caller,
 * but its return address is on top of the stack, if it is behind a call: e8 with 4 bytes, or
 * ff /2.
 */
static void push_caller_of_leaf(struct collector *c, struct building *b,
                                const struct collecting *s)
{
    uint8_t code[6];

    if (!s->user_top || (s->nr_callers > 1 && s->caller[1] == s->user_top) || makes_frame(c, s) ||
        !user_symbols_code(c->users, pid_of(s), comm_of(s), s->user_top - sizeof(code), code,
                           sizeof(code)))
        return;
    if (code[1] == 0xe8 || (code[0] == 0xff && (code[1] & 0x38) == 0x10) ||
        (code[3] == 0xff && (code[4] & 0x38) == 0x10) ||
        (code[4] == 0xff && (code[5] & 0x38) == 0x10))
        push_user(c, b, s, s->user_top, true);
}

static void push_users(struct collector *c, struct building *b, const struct collecting *s)
{
    if (!s->nr_callers)
        return;
    if (s->domain) {
        push_address(c, b, FRAME_USER, s->caller[0], "domain");
        return;
    }
    if (pid_of(s) && !user_symbols_knows(c->users, pid_of(s), comm_of(s), s->caller[0]))
        user_symbols_note(c->users, pid_of(s), comm_of(s));
    if (!push_user(c, b, s, s->caller[0], false)) {
        c->unknown_users++;
        push(c, b, FRAME_USER, "[unknown]", "");
        return;
    }
    push_caller_of_leaf(c, b, s);
    for (uint32_t i = 1; i < s->nr_callers; i++)
        if (!push_user(c, b, s, s->caller[i], true))
            break;
}

/* ------------------------------------------------------------------ a sample is whole */

static void keep(struct collector *c, struct building *b, const struct sample *sample,
                 const char *root)
{
    uint32_t turned[PROFILE_DEPTH];
    enum frame_kind kind = sample->how == STACK_IDLE ? FRAME_IDLE : FRAME_TASK;
    uint32_t number = profile_frame(c->profile, kind, root, "");

    for (uint32_t i = 0; i < b->nr; i++)
        turned[i + 1] = b->frame[b->nr - 1 - i];
    turned[0] = number;
    if (number == UINT32_MAX || !profile_add(c->profile, sample, turned, b->nr + 1))
        c->failed = true;
    c->how[sample->how]++;
}

/* The name of the running task. */
static const char *root_name(const struct collecting *s, char buf[32])
{
    memset(buf, 0, 32);
    memcpy(buf, comm_of(s), 16);
    if (s->domain)
        snprintf(buf, 32, "domain-%u", s->domain);
    else if (!*buf)
        strcpy(buf, "Domain-0");
    return buf;
}

static void close_sample(struct collector *c, unsigned int cpu, struct collecting *s)
{
    struct building b = { .nr = 0 };
    struct sample sample = { .tsc = s->tsc, .rip = s->rip, .cpu = cpu, .vcpu = s->vcpu,
                             .domain = s->domain, .weight = 1 + s->missed, .how = STACK_USER };
    char buf[32];

    s->open = false;
    sample.tid = (uint32_t)s->task[WORD_PIDS];
    sample.pid = pid_of(s);
    if (s->mode == RADON_PROFILE_IDLE) {
        sample.how = STACK_IDLE;
        keep(c, &b, &sample, "idle");
        return;
    }
    if (s->mode == RADON_PROFILE_HYPERVISOR)
        push_hypervisor(c, &b, s);
    if (s->mode != RADON_PROFILE_USER)
        sample.how = push_kernel_stack(c, &b, s);
    push_users(c, &b, s);
    keep(c, &b, &sample, root_name(s, buf));
}

/* ------------------------------------------------------------------ records */

static uint64_t wide(const struct trace_record *rec, unsigned int word)
{
    return rec->data[word] | (uint64_t)rec->data[word + 1] << 32;
}

static void open_sample(struct collecting *s, const struct trace_record *rec)
{
    s->open = true;
    s->tsc = rec->tsc;
    s->rip = wide(rec, 0);
    s->rsp = wide(rec, 2);
    s->domain = (uint16_t)(rec->data[4] >> 16);
    s->vcpu = rec->data[4] & 0xffff;
    s->mode = rec->data[5];
    s->entry = rec->data[6];
    s->rbp = s->hv_rip = s->user_top = s->handler = 0;
    s->nr_words = s->nr_callers = s->missed = 0;
    memset(s->task, 0, sizeof(s->task));
}

static void add_word(struct collecting *s, const struct trace_record *rec)
{
    uint32_t where = rec->data[0] >> 8;
    uint64_t word = wide(rec, 1);

    switch (rec->data[0] & 0xff) {
    case RADON_PROFILE_STACK: /* they come in order of address */
        if (s->nr_words < COLLECT_WORDS)
            s->word[s->nr_words++] = (struct stack_word){ s->rsp + where, word };
        return;
    case RADON_PROFILE_RBP:
        s->rbp = word;
        return;
    case RADON_PROFILE_TASK:
        if (where < 4)
            s->task[where] = word;
        return;
    case RADON_PROFILE_CALLER:
        if (where == s->nr_callers && where < COLLECT_USERS)
            s->caller[s->nr_callers++] = word;
        return;
    case RADON_PROFILE_HV_RIP:
        s->hv_rip = word;
        return;
    case RADON_PROFILE_HANDLER:
        s->handler = word;
        return;
    case RADON_PROFILE_USER_TOP:
        s->user_top = word;
        return;
    case RADON_PROFILE_MISSED:
        s->missed = (uint32_t)word;
        return;
    }
}

void collect_record(struct collector *c, unsigned int cpu, const struct trace_record *rec)
{
    struct collecting *s;

    if (cpu >= COLLECT_CPUS)
        return;
    if (!c->cpu[cpu])
        c->cpu[cpu] = calloc(1, sizeof(*s));
    s = c->cpu[cpu];
    if (!s) {
        c->failed = true;
        return;
    }
    if (rec->event == TRC_LOST_RECORDS && rec->words) {
        c->lost += rec->data[0];
        s->open = false; /* whose words are missing is not known */
    } else if (rec->event == (RADON_TRC_PROFILE + 1) && rec->words == 7) {
        if (s->open)
            close_sample(c, cpu, s);
        open_sample(s, rec);
    } else if (rec->event == (RADON_TRC_PROFILE + 2) && rec->words == 3 && s->open) {
        add_word(s, rec);
    }
}

void collect_end(struct collector *c)
{
    for (unsigned int cpu = 0; cpu < COLLECT_CPUS; cpu++) {
        if (c->cpu[cpu] && c->cpu[cpu]->open)
            close_sample(c, cpu, c->cpu[cpu]);
        free(c->cpu[cpu]);
        c->cpu[cpu] = NULL;
    }
}
