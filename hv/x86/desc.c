/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables: each CPU's GDT (the guest's pages below, the hypervisor's page above), TSS,
 * IDT, SYSCALL stub; and the guest's hold on GDT and LDT.
 */
#include "hv/desc.h"

#include "hv/asm.h"
#include "hv/entry.h"
#include "hv/fast.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/paging.h"
#include "hv/percpu.h"
#include "hv/x86.h"

/* Gate descriptor, AMD APM volume 2, 4.8.4. */
struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, reserved;
};

static struct gate idt[256];
static void *zero_page; /* what unset pages of a guest's GDT and LDT show */

#define GDT_LIMIT ((GDT_GUEST_PAGES + 1) * PAGE_SIZE - 1)

static void set_gate(unsigned int vector, unsigned int dpl, unsigned int ist)
{
    uint64_t to = (uint64_t)vector_stubs + 16UL * vector;

    idt[vector] = (struct gate){
        .offset0 = to, .selector = HV_CS, .ist = ist, .type = 0x8e | dpl << 5,
        .offset1 = to >> 16, .offset2 = to >> 32,
    };
}

static void idt_load(void)
{
    struct { uint16_t limit; uint64_t base; } __packed idtr = { sizeof(idt) - 1, (uint64_t)idt };

    __asm__ volatile("lidt %0" ::"m"(idtr));
}

void idt_init(void)
{
    for (unsigned int v = 0; v < 256; v++)
        set_gate(v, 0, 0);
    set_gate(X86_BP, 3, 0);
    set_gate(X86_OF, 3, 0);
    set_gate(VECTOR_SYSCALL32, 3, 0);
    set_gate(X86_DB, 0, IST_DB);
    set_gate(X86_NMI, 0, IST_NMI);
    set_gate(X86_DF, 0, IST_DF);
    set_gate(X86_MC, 0, IST_MC);
}

static void gdt_window_set(struct cpu *cpu, unsigned int page, mfn_t mfn)
{
    uint64_t va = cpu->gdt_window + page * PAGE_SIZE;

    map_hv(va, mfn_to_paddr(mfn), PAGE_SIZE, HV_RW);
    invlpg(va);
}

static uint64_t *own_entry(struct cpu *cpu, unsigned int selector)
{
    return &cpu->own_gdt[(selector >> 3) - GDT_GUEST_PAGES * 512];
}

/* A 16-byte system descriptor (TSS or LDT). */
static void set_system(struct cpu *cpu, unsigned int selector, uint64_t base, uint32_t limit,
                       unsigned int type)
{
    uint64_t *d = own_entry(cpu, selector);

    d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 |
           ((uint64_t)(limit >> 16) & 0xf) << 48 | ((base >> 24) & 0xff) << 56;
    d[1] = base >> 32;
}

void desc_init_cpu(struct cpu *cpu)
{
    if (!zero_page)
        zero_page = alloc_hv_pages(0);
    cpu->own_gdt = alloc_hv_pages(0);
    cpu->tss = alloc_hv_pages(0);
    cpu->gdt_window = vmap_reserve(32 * PAGE_SIZE, 32 * PAGE_SIZE);
    cpu->stub_code = (uint8_t *)vmap_reserve(2 * PAGE_SIZE, 2 * PAGE_SIZE);
    void *code = alloc_hv_pages(0);

    cpu->stub = alloc_hv_pages(0);
    if (!cpu->own_gdt || !cpu->tss || !code || !cpu->stub)
        panic("no memory for CPU %u", cpu->id);
    memcpy(code, syscall_stub_template, syscall_stub_template_end - syscall_stub_template);
    map_hv((uint64_t)cpu->stub_code, virt_to_paddr(code), PAGE_SIZE, HV_RX);
    map_hv((uint64_t)cpu->stub_code + PAGE_SIZE, virt_to_paddr(cpu->stub), PAGE_SIZE, HV_RW);
    cpu->stub->entry64 = (uint64_t)entry_syscall;
    cpu->stub->entry32 = (uint64_t)entry_syscall32;

    *own_entry(cpu, HV_CS) = 0x00af9b000000ffff;
    *own_entry(cpu, HV_DS) = 0x00cf93000000ffff;
    *own_entry(cpu, FLAT_RING3_CS32) = 0x00cffb000000ffff;
    *own_entry(cpu, FLAT_RING3_DS32) = 0x00cff3000000ffff;
    *own_entry(cpu, FLAT_RING3_CS64) = 0x00affb000000ffff;
    set_system(cpu, HV_TSS_SEL, (uint64_t)cpu->tss, sizeof(struct tss) - 1, 9);
    cpu->tss->iomap_base = sizeof(struct tss); /* no bitmap: every port access traps */
    for (unsigned int ist = IST_NMI; ist <= IST_DB; ist++) {
        struct vcpu_hot *h = stack_create();

        if (!h)
            panic("no memory for CPU %u", cpu->id);
        h->cpu = cpu;
        cpu->tss->ist[ist - 1] = (uint64_t)h;
    }
    for (unsigned int i = 0; i < GDT_GUEST_PAGES; i++)
        gdt_window_set(cpu, i, virt_to_mfn(zero_page));
    gdt_window_set(cpu, GDT_GUEST_PAGES, virt_to_mfn(cpu->own_gdt));
}

void desc_load(struct cpu *cpu)
{
    struct { uint16_t limit; uint64_t base; } __packed gdtr = { GDT_LIMIT, cpu->gdt_window };

    __asm__ volatile("lgdt %0" ::"m"(gdtr));
    __asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:"
                     ::"i"(HV_CS) : "rax", "memory");
    __asm__ volatile("mov %0, %%ss" ::"r"(HV_DS));
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" ::"r"(0));
    *own_entry(cpu, HV_TSS_SEL) &= ~(2UL << 40); /* not busy, or LTR faults */
    __asm__ volatile("ltr %w0" ::"r"(HV_TSS_SEL));
    __asm__ volatile("lldt %w0" ::"r"(0));
    idt_load();

    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HV_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)cpu->stub_code);
    wrmsr(MSR_CSTAR, (uint64_t)cpu->stub_code + syscall32_stub_offset);
    wrmsr(MSR_SFMASK, X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_IOPL |
                          X86_EFLAGS_NT | X86_EFLAGS_RF | X86_EFLAGS_VM | X86_EFLAGS_AC);
    wrmsr(MSR_SYSENTER_CS, HV_CS);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)entry_sysenter);
}

void desc_set_stack(struct cpu *cpu, struct vcpu_hot *h)
{
    cpu->tss->rsp[0] = (uint64_t)h;
    cpu->stub->stack_top = (uint64_t)h;
    wrmsr(MSR_SYSENTER_ESP, (uint64_t)h);
    desc_set_syscall(cpu, h);
}

void desc_set_syscall(struct cpu *cpu, const struct vcpu_hot *h)
{
    uint64_t entry = (uint64_t)(h->flags & HOT_FAST ? entry_syscall_fast : entry_syscall);

    WRITE_ONCE(cpu->stub->entry64, entry);
}

/* ------------------------------------------------------------------ the guest's tables */

static void load_ldt(struct cpu *cpu, const struct vcpu *v)
{
    if (!v->ldt_entries) {
        __asm__ volatile("lldt %w0" ::"r"(0));
        return;
    }
    set_system(cpu, HV_LDT_SEL, cpu->gdt_window + 16 * PAGE_SIZE, v->ldt_entries * 8 - 1, 2);
    __asm__ volatile("lldt %w0" ::"r"(HV_LDT_SEL));
}

void desc_switch_to(struct cpu *cpu, struct vcpu *v)
{
    for (unsigned int i = 0; i < GDT_GUEST_PAGES; i++)
        gdt_window_set(cpu, i, i * 512 < v->gdt_entries ? v->gdt_frames[i] : virt_to_mfn(zero_page));
    for (unsigned int i = 0; i < DIV_ROUND_UP(v->ldt_entries, 512); i++)
        gdt_window_set(cpu, 16 + i, v->ldt_frames[i]);
    load_ldt(cpu, v);
}

/* Type references on the frames of a table; on failure those taken are dropped.  mm.lock held. */
static int hold_frames(struct domain *d, const mfn_t *frames, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        int rc = mfn_valid(frames[i])
                     ? get_page_and_type(mfn_to_page(frames[i]), d, PGT_SEG_DESC) : -XEN_EINVAL;

        if (rc) {
            while (i--)
                put_page_and_type(mfn_to_page(frames[i]));
            return -XEN_EINVAL;
        }
    }
    return 0;
}

static void drop_frames(struct domain *d, const mfn_t *frames, unsigned int n)
{
    spin_lock(&d->mm.lock);
    for (unsigned int i = 0; i < n; i++)
        put_page_and_type(mfn_to_page(frames[i]));
    spin_unlock(&d->mm.lock);
}

void desc_release(struct vcpu *v)
{
    drop_frames(v->domain, v->gdt_frames, DIV_ROUND_UP(v->gdt_entries, 512));
    drop_frames(v->domain, v->ldt_frames, DIV_ROUND_UP(v->ldt_entries, 512));
    v->gdt_entries = v->ldt_entries = 0;
}

/* Put n new frames into a table's slots; what was there goes to `old`, still referenced. */
static int replace_frames(struct domain *d, mfn_t *slots, unsigned int nr_slots,
                          const mfn_t *frames, unsigned int n, mfn_t *old)
{
    int rc;

    spin_lock(&d->mm.lock);
    rc = hold_frames(d, frames, n);
    spin_unlock(&d->mm.lock);
    if (rc)
        return rc;
    memcpy(old, slots, nr_slots * sizeof(*slots));
    memcpy(slots, frames, n * sizeof(*frames));
    return 0;
}

int vcpu_set_gdt(struct vcpu *v, const mfn_t *frames, unsigned int entries)
{
    unsigned int n = DIV_ROUND_UP(entries, 512), old_n = DIV_ROUND_UP(v->gdt_entries, 512);
    mfn_t old[GDT_GUEST_PAGES];
    int rc;

    if (entries > GDT_GUEST_PAGES * 512)
        return -XEN_EINVAL;
    rc = replace_frames(v->domain, v->gdt_frames, GDT_GUEST_PAGES, frames, n, old);
    if (rc)
        return rc;
    v->gdt_entries = entries;
    if (v == current())
        desc_switch_to(this_cpu(), v);
    drop_frames(v->domain, old, old_n);
    return 0;
}

long do_set_gdt(HCALL_ARGS2(list, entries))
{
    mfn_t frames[GDT_GUEST_PAGES];

    if (entries > GDT_GUEST_PAGES * 512)
        return -XEN_EINVAL;
    if (!copy_from_guest(frames, list, DIV_ROUND_UP(entries, 512)))
        return -XEN_EFAULT;
    return vcpu_set_gdt(current(), frames, entries);
}

/* MMUEXT_SET_LDT.  The pages are found now and held; the ABI wants them mapped and read-only. */
long set_ldt(struct vcpu *v, uint64_t va, uint32_t entries)
{
    unsigned int n = DIV_ROUND_UP(entries, 512), old_n = DIV_ROUND_UP(v->ldt_entries, 512);
    mfn_t frames[16] = { { 0 } }, old[16];
    int rc = 0;

    if (entries > 8192 || (va & ~PAGE_MASK) || (entries && !guest_range_ok(va, entries * 8UL)))
        return -XEN_EINVAL;
    if (entries == v->ldt_entries && va == v->ldt_base && !entries)
        return 0;
    for (unsigned int i = 0; i < n; i++)
        if (!guest_va_to_mfn(v, va + i * PAGE_SIZE, &frames[i], NULL))
            return -XEN_EINVAL;
    rc = replace_frames(v->domain, v->ldt_frames, 16, frames, n, old);
    if (rc)
        return rc;
    fast_guest_changed(v->domain, RADON_FAST_GUEST_STATE);
    v->ldt_base = va;
    v->ldt_entries = entries;
    for (unsigned int i = 0; i < n; i++)
        gdt_window_set(this_cpu(), 16 + i, frames[i]);
    load_ldt(this_cpu(), v);
    drop_frames(v->domain, old, old_n);
    return 0;
}

long do_update_descriptor(HCALL_ARGS2(maddr, desc))
{
    struct domain *d = current()->domain;
    mfn_t mfn = paddr_to_mfn(maddr);
    struct page_info *pg;
    long rc;

    if ((maddr & 7) || !mfn_valid(mfn) || !seg_desc_fix(&desc))
        return -XEN_EINVAL;
    pg = mfn_to_page(mfn);
    spin_lock(&d->mm.lock);
    rc = get_page_and_type(pg, d, PGT_SEG_DESC);
    if (rc == -XEN_EINVAL || rc == -XEN_EBUSY)
        rc = get_page_and_type(pg, d, PGT_WRITABLE);
    spin_unlock(&d->mm.lock);
    if (rc)
        return -XEN_EINVAL;
    WRITE_ONCE(*(uint64_t *)paddr_to_virt(maddr), desc);
    put_page_and_type(pg);
    return 0;
}
