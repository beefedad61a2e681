/* SPDX-License-Identifier: MIT */
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"

uint64_t mm_ram[MM_FRAMES * 512] __attribute__((aligned(4096)));
uint64_t mm_frame_table[MM_FRAMES * 4];
uint64_t mm_m2p[MM_FRAMES];

struct domain mm_dom[2], dom_io, dom_xen;
struct domain *dom0 = &mm_dom[0], *domain_list;
struct vcpu mm_vcpu[2];
struct cpu mm_cpu[2];
struct cpu *cpus[NR_CPUS];
uint32_t nr_cpus;
void (*mm_on_flush)(unsigned int cpu);
void (*mm_on_preempt)(void);
long mm_guest_accesses_left = -1;

static struct vcpu_hot vcpu_hot_page[2];
static unsigned int running;

struct vcpu *mm_current(void)
{
    return &mm_vcpu[running];
}

struct vcpu_hot *mm_hot(void)
{
    return mm_vcpu[running].hot;
}

struct cpu *mm_this_cpu(void)
{
    return mm_vcpu[running].hot->cpu;
}

void mm_write_cr3(uint64_t cr3)
{
    (void)cr3;
    if (mm_on_flush)
        mm_on_flush(mm_this_cpu()->id);
}

/* As the platform does it: every CPU of the mask reloads its CR3. */
void smp_tlb_flush(uint64_t cpu_mask, uint64_t va)
{
    struct cpu *self = mm_this_cpu();

    (void)va;
    for (unsigned int i = 0; i < nr_cpus; i++) {
        if (!(cpu_mask >> i & 1))
            continue;
        mm_vcpu[running].hot->cpu = &mm_cpu[i];
        tlb_load_cr3(i, 0);
        mm_vcpu[running].hot->cpu = self;
    }
}

void mm_run_as(unsigned int dom)
{
    running = dom;
}

void mm_migrate(unsigned int dom, unsigned int cpu)
{
    struct vcpu_hot *h = &vcpu_hot_page[dom];
    struct cpu *old = h->cpu;
    unsigned int before = running;

    if (old == &mm_cpu[cpu])
        return;
    tlb_domain_enters(&mm_dom[dom].mm, cpu);
    running = dom;
    h->cpu = &mm_cpu[cpu];
    tlb_load_cr3(cpu, h->kernel_cr3);
    if (old) {
        /* The CPU it left runs something else now. */
        h->cpu = old;
        tlb_load_cr3(old->id, 0);
        tlb_domain_leaves(&mm_dom[dom].mm, old->id);
        h->cpu = &mm_cpu[cpu];
    }
    running = before;
}

void mm_machine_reset(uint64_t ram_first)
{
    struct mem_region ram = { ram_first << PAGE_SHIFT, (uint64_t)MM_FRAMES << PAGE_SHIFT };

    mm_on_preempt = NULL;
    memset(mm_dom, 0, sizeof(mm_dom));
    memset(mm_vcpu, 0, sizeof(mm_vcpu));
    memset(vcpu_hot_page, 0, sizeof(vcpu_hot_page));
    memset(cpu_tlb_flushed, 0, sizeof(cpu_tlb_flushed));
    memset(mm_ram, 0, sizeof(mm_ram));
    nr_cpus = 2;
    dom_io.id = DOMID_IO;
    dom_xen.id = DOMID_XEN;
    for (unsigned int i = 0; i < 2; i++) {
        cpus[i] = &mm_cpu[i];
        mm_cpu[i].id = i;
        mm_cpu[i].online = true;
        mm_vcpu[i].domain = &mm_dom[i];
        mm_vcpu[i].hot = &vcpu_hot_page[i];
        vcpu_hot_page[i].vcpu = &mm_vcpu[i];
        mm_dom[i].id = (uint16_t)i;
        mm_dom[i].privileged = i == 0;
        mm_dom[i].nr_vcpus = 1;
        mm_dom[i].vcpu[0] = &mm_vcpu[i];
        domain_mm_init(&mm_dom[i]);
        mm_dom[i].mm.max_pages = MM_FRAMES;
    }
    mm_init(MM_FRAMES, &ram, 1, NULL, 0);
    for (unsigned int i = 0; i < 2; i++)
        mm_migrate(i, i);
    running = 0;
}

/* ------------------------------------------------------------------ the rest of the hypervisor */

struct domain *domain_find(uint16_t id)
{
    return id < 2 ? &mm_dom[id] : NULL;
}

void preempt_point(void)
{
    for (unsigned int i = 0; i < 2; i++) {
        if (spin_is_locked(&mm_dom[i].mm.lock) || spin_is_locked(&mm_dom[i].mm.page_lock))
            abort();
    }
    if (mm_on_preempt)
        mm_on_preempt();
}

void printk(const char *fmt, ...)
{
    (void)fmt;
}

long set_ldt(struct vcpu *v, uint64_t va, uint32_t entries)
{
    (void)v;
    (void)va;
    (void)entries;
    return 0;
}

static bool access_ok(void)
{
    return mm_guest_accesses_left < 0 || mm_guest_accesses_left-- > 0;
}

bool get_guest_u64(uint64_t guest_va, uint64_t *value)
{
    if (!guest_va || !access_ok())
        return false;
    memcpy(value, (const void *)guest_va, 8);
    return true;
}

bool put_guest_u64(uint64_t guest_va, uint64_t value)
{
    if (!guest_va || !access_ok())
        return false;
    memcpy((void *)guest_va, &value, 8);
    return true;
}

size_t copy_from_guest_va(void *to, uint64_t guest_va, size_t n)
{
    if (!guest_va || !access_ok())
        return n;
    memcpy(to, (const void *)guest_va, n);
    return 0;
}

size_t copy_to_guest_va(uint64_t guest_va, const void *from, size_t n)
{
    if (!guest_va || !access_ok())
        return n;
    memcpy((void *)guest_va, from, n);
    return 0;
}

void fast_state_changed(struct vcpu *v)
{
    (void)v; /* there are no handlers here */
}

/* Nothing is timed. */
void sites_add_part(uint64_t begun, uint64_t part)
{
    (void)begun;
    (void)part;
    abort();
}
