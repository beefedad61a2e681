/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's start of day (public/xen.h, "Start-of-day memory layout"): one virtual region from
 * VIRT_BASE that maps pseudo-physical memory from frame 0 on:
 *
 *   kernel | P2M unless INIT_P2M | start_info | page tables | stack | padding to 4 MiB
 *
 * Behind it, not mapped, the initrd (if the kernel says MOD_START_PFN); behind that, mapped at
 * INIT_P2M, the P2M with its page tables.
 */
#include "boot/dom0.h"

#include "boot/cmdline.h"
#include "boot/kernel_load.h"
#include "boot/multiboot.h"
#include "hv/acpi.h"
#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/percpu.h"
#include "hv/sched.h"
#include "hv/vcpu.h"
#include "hv/x86.h"

#define PT_FLAGS (PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D)

struct build {
    struct domain *d;
    struct loaded_kernel kernel;
    uint64_t nr_pages;
    uint64_t *p2m;         /* pfn -> mfn, hypervisor memory while we build */
    unsigned int p2m_order;
    uint64_t v_start, v_end;
    uint64_t p2m_va, start_info_va, pt_va, stack_va;
    uint64_t initrd_pfn, initrd_len;
    uint64_t p2m_pfn;      /* first frame of P2M and its tables when outside of the region */
    uint64_t p2m_frames;   /* with tables */
    uint64_t nr_pt;        /* page tables of the region */
    uint64_t next_pt_pfn, pt_end_pfn;
    uint64_t *l4;
};

static uint64_t pages_for(uint64_t bytes)
{
    return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

static void *pfn_to_virt(const struct build *b, uint64_t pfn)
{
    if (pfn >= b->nr_pages)
        panic("domain 0 has too little memory for its kernel and initrd (dom0_mem)");
    return mfn_to_virt(MFN(b->p2m[pfn]));
}

static uint64_t va_to_pfn(const struct build *b, uint64_t va)
{
    return (va - b->v_start) >> PAGE_SHIFT;
}

/* ------------------------------------------------------------------ memory */

static uint64_t dom0_pages(const struct boot_options *o)
{
    uint64_t total = total_frames() << PAGE_SHIFT;
    uint64_t want = mem_amount_bytes(&o->dom0_mem.size, total);
    uint64_t min = mem_amount_bytes(&o->dom0_mem.min, total);
    uint64_t max = mem_amount_bytes(&o->dom0_mem.max, total);
    /* Unless told, leave a sixteenth (16 to 128 MiB) for the hypervisor and other domains. */
    uint64_t have = free_frames();
    uint64_t keep = MIN(MAX(have / 16, 4096UL), 32768UL);

    if (!want)
        want = (have > keep ? have - keep : 0) << PAGE_SHIFT;
    if (max && want > max)
        want = max;
    if (want < min)
        want = min;
    return want >> PAGE_SHIFT;
}

/* max: in dom0_mem limits what domain 0 may take; without it, ballooning may go to all memory. */
static uint64_t dom0_max_pages(const struct boot_options *o)
{
    uint64_t max = mem_amount_bytes(&o->dom0_mem.max, total_frames() << PAGE_SHIFT);

    return max ? max >> PAGE_SHIFT : ~0UL;
}

static void allocate(struct build *b)
{
    uint64_t pfn = 0;
    unsigned int order = 0;

    while ((PAGE_SIZE << order) < b->nr_pages * 8)
        order++;
    b->p2m_order = order;
    b->p2m = alloc_hv_pages(order);
    if (!b->p2m)
        panic("too little memory for domain 0's P2M");
    for (order = MAX_ORDER; pfn < b->nr_pages;) {
        struct page_info *pg = NULL;

        while ((1UL << order) > b->nr_pages - pfn)
            order--;
        pg = alloc_domain_pages(b->d, order, ALLOC_NO_LIMIT);
        if (!pg) {
            if (!order--)
                panic("too little memory: domain 0 wants %lu MiB (dom0_mem)", b->nr_pages >> 8);
            continue;
        }
        for (uint64_t i = 0; i < 1UL << order; i++, pfn++) {
            b->p2m[pfn] = page_to_mfn(pg).m + i;
            set_gpfn(MFN(b->p2m[pfn]), pfn);
        }
    }
}

/* ------------------------------------------------------------------ layout */

/* Page tables that map [start, end): one L4, and what is below it. */
static uint64_t tables_needed(uint64_t start, uint64_t end, bool with_l4)
{
    uint64_t n = with_l4;

    for (unsigned int level = 1; level <= 3; level++) {
        unsigned int shift = PAGE_SHIFT + 9 * level;

        n += ((end - 1) >> shift) - (start >> shift) + 1;
    }
    return n;
}

static void layout(struct build *b)
{
    const struct xen_elf_notes *notes = &b->kernel.image.notes;
    uint64_t at = ROUND_UP(b->kernel.image.virt_end, PAGE_SIZE);
    uint64_t p2m_bytes = ROUND_UP(b->nr_pages * 8, PAGE_SIZE);

    b->v_start = notes->virt_base;
    if (!notes->mod_start_pfn && b->initrd_len) {
        b->initrd_pfn = va_to_pfn(b, at);
        at += ROUND_UP(b->initrd_len, PAGE_SIZE);
    }
    if (!notes->has_init_p2m) {
        b->p2m_va = at;
        at += p2m_bytes;
    }
    b->start_info_va = at;
    at += PAGE_SIZE;
    b->pt_va = at;
    /* The tables lie in the region that they map: grow until they fit. */
    for (b->nr_pt = 4;; b->nr_pt++) {
        b->stack_va = b->pt_va + b->nr_pt * PAGE_SIZE;
        b->v_end = ROUND_UP(b->stack_va + PAGE_SIZE + 0x80000, 0x400000UL);
        if (tables_needed(b->v_start, b->v_end, true) <= b->nr_pt)
            break;
    }
    uint64_t pfn = va_to_pfn(b, b->v_end);

    if (notes->mod_start_pfn && b->initrd_len) {
        b->initrd_pfn = pfn;
        pfn += pages_for(b->initrd_len);
    }
    if (notes->has_init_p2m) {
        b->p2m_va = notes->init_p2m;
        b->p2m_pfn = pfn;
        b->p2m_frames = p2m_bytes / PAGE_SIZE +
                        tables_needed(b->p2m_va, b->p2m_va + p2m_bytes, false);
        pfn += b->p2m_frames;
    }
    if (pfn > b->nr_pages)
        panic("domain 0 has too little memory for its kernel and initrd: %lu MiB, needs %lu MiB "
              "(dom0_mem)", b->nr_pages >> 8, (pfn >> 8) + 1);
}

/* ------------------------------------------------------------------ page tables */

static uint64_t *new_table(struct build *b, uint64_t *entry)
{
    if (b->next_pt_pfn == b->pt_end_pfn)
        panic("the builder of domain 0 ran out of page tables");
    if (entry)
        *entry = b->p2m[b->next_pt_pfn] << PAGE_SHIFT | PT_FLAGS;
    return memset(pfn_to_virt(b, b->next_pt_pfn++), 0, PAGE_SIZE);
}

static uint64_t *entry_for(struct build *b, uint64_t va)
{
    uint64_t *table = b->l4;

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[(va >> shift) & 511];

        table = *entry ? paddr_to_virt(*entry & PTE_ADDR_MASK) : new_table(b, entry);
    }
    return &table[(va >> 12) & 511];
}

static void map_range(struct build *b, uint64_t va, uint64_t pfn, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        *entry_for(b, va + i * PAGE_SIZE) = b->p2m[pfn + i] << PAGE_SHIFT | PT_FLAGS;
}

static void protect_tables(struct build *b, uint64_t va, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        *entry_for(b, va + i * PAGE_SIZE) &= ~PTE_RW;
}

static void build_tables(struct build *b)
{
    uint64_t first = va_to_pfn(b, b->pt_va), p2m_data;

    b->next_pt_pfn = first;
    b->pt_end_pfn = first + b->nr_pt;
    b->l4 = new_table(b, NULL);
    map_range(b, b->v_start, 0, va_to_pfn(b, b->v_end));
    /* Tables that were not needed stay empty pages, read-only like the others. */
    while (b->next_pt_pfn < b->pt_end_pfn)
        new_table(b, NULL);
    protect_tables(b, b->pt_va, b->nr_pt);
    if (b->p2m_frames) {
        p2m_data = pages_for(b->nr_pages * 8);
        b->next_pt_pfn = b->p2m_pfn + p2m_data;
        b->pt_end_pfn = b->p2m_pfn + b->p2m_frames;
        map_range(b, b->p2m_va, b->p2m_pfn, p2m_data);
    }
}

/* ------------------------------------------------------------------ contents */

static void copy_to_pfns(struct build *b, uint64_t at, const void *from, uint64_t n)
{
    const char *p = from;

    while (n) {
        uint64_t off = at & ~PAGE_MASK, step = MIN(n, PAGE_SIZE - off);

        memcpy((char *)pfn_to_virt(b, at >> PAGE_SHIFT) + off, p, step);
        at += step;
        p += step;
        n -= step;
    }
}

static void zero_pfns(struct build *b, uint64_t at, uint64_t n)
{
    while (n) {
        uint64_t off = at & ~PAGE_MASK, step = MIN(n, PAGE_SIZE - off);

        memset((char *)pfn_to_virt(b, at >> PAGE_SHIFT) + off, 0, step);
        at += step;
        n -= step;
    }
}

/*
 * The hypercall page: a stub of 32 bytes each.  The ABI says that rcx and r11 survive a call
 * although SYSCALL takes them (as HYPERCALL_STUB_TAIL has it); iret's stub pushes what struct iret_context starts with.
 */
static void fill_hypercall_page(uint8_t *page)
{
    static const uint8_t tail[] = { 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 }; /* syscall; pop; pop; ret */

    memset(page, 0xcc, PAGE_SIZE);
    for (uint32_t nr = 0; nr < PAGE_SIZE / 32; nr++) {
        uint8_t *p = page + nr * 32;

        *p++ = 0x51;             /* push %rcx */
        *p++ = 0x41, *p++ = 0x53; /* push %r11 */
        if (nr == __HYPERVISOR_iret)
            *p++ = 0x50;         /* push %rax */
        *p++ = 0xb8;             /* mov $nr, %eax */
        memcpy(p, &nr, 4);
        p += 4;
        memcpy(p, tail, nr == __HYPERVISOR_iret ? 2 : sizeof(tail));
    }
}

static void load_kernel(struct build *b)
{
    const struct kernel_image *image = &b->kernel.image;
    uint8_t *page;

    for (unsigned int i = 0; i < image->load_count; i++) {
        const struct elf_load *l = &image->loads[i];
        uint64_t at = l->vaddr - b->v_start;

        copy_to_pfns(b, at, b->kernel.elf + l->offset, l->file_size);
        zero_pfns(b, at + l->file_size, l->mem_size - l->file_size);
    }
    if (image->notes.has_hypercall_page) {
        page = pfn_to_virt(b, va_to_pfn(b, image->notes.hypercall_page));
        fill_hypercall_page(page);
    }
}

/*
 * Domain 0's command line.  It searches the BIOS's places for the ACPI root pointer: one that is
 * elsewhere is named ahead of the user's words, which can so override it.
 */
static void fill_cmdline(struct start_info *si, const char *args)
{
    static char line[BOOT_STRING_MAX + sizeof("acpi_rsdp=0x0123456789abcdef ")];
    size_t n = 0;

    if (acpi.rsdp >= 1UL << 20)
        n = (size_t)snprintf(line, sizeof(line), "acpi_rsdp=0x%lx ", acpi.rsdp);
    strlcpy(line + n, args, sizeof(line) - n);
    if (strlcpy((char *)si->cmd_line, line, sizeof(si->cmd_line)) >= sizeof(si->cmd_line))
        hv_log(LOG_WARNING, "warning: domain 0's command line is cut to %lu bytes\n",
               sizeof(si->cmd_line) - 1);
}

static void fill_start_info(struct build *b, const char *cmdline)
{
    struct start_info *si = pfn_to_virt(b, va_to_pfn(b, b->start_info_va));

    memset(si, 0, PAGE_SIZE);
    strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = b->nr_pages;
    si->shared_info = mfn_to_paddr(b->d->shared_mfn);
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = b->pt_va;
    si->nr_pt_frames = b->nr_pt;
    si->mfn_list = b->p2m_va;
    if (b->p2m_frames) {
        si->first_p2m_pfn = b->p2m_pfn;
        si->nr_p2m_frames = b->p2m_frames;
    }
    if (b->initrd_len) {
        si->mod_len = b->initrd_len;
        si->mod_start = b->initrd_pfn;
        if (b->kernel.image.notes.mod_start_pfn)
            si->flags |= SIF_MOD_START_PFN;
        else
            si->mod_start = b->v_start + b->initrd_pfn * PAGE_SIZE;
    }
    fill_cmdline(si, cmdline);
}

static void start_vcpu(struct build *b)
{
    struct vcpu *v = b->d->vcpu[0];
    struct cpu_user_regs *regs = vcpu_regs(v);
    mfn_t l4 = MFN(b->p2m[va_to_pfn(b, b->pt_va)]);
    int rc = mm_adopt_initial_tables(b->d, l4);

    if (!rc)
        rc = mm_set_kernel_l4(v, l4);
    if (rc)
        panic("domain 0's first page tables are refused: %d", rc);
    memset(regs, 0, offsetof(struct cpu_user_regs, es));
    regs->rip = b->kernel.image.notes.entry;
    regs->rsp = b->stack_va + PAGE_SIZE;
    regs->rsi = b->start_info_va;
    regs->cs = FLAT_KERNEL_CS;
    regs->ss = FLAT_KERNEL_SS;
    regs->rflags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
    v->initialised = true;
}

static unsigned int dom0_vcpus(const struct boot_options *o)
{
    unsigned int n = nr_cpus;

    if (o->dom0_max_vcpus.min && n < o->dom0_max_vcpus.min)
        n = o->dom0_max_vcpus.min;
    if (o->dom0_max_vcpus.max && n > o->dom0_max_vcpus.max)
        n = o->dom0_max_vcpus.max;
    return MIN(MAX(n, 1u), (unsigned int)MAX_VCPUS);
}

void dom0_build(const struct boot_info *boot, const struct boot_options *o)
{
    static struct build b;
    const struct boot_module *kernel = &boot->modules[0], *initrd = &boot->modules[1];
    const char *why, *args;

    if (!boot->module_count)
        panic("no kernel for domain 0: the boot loader passed no module");
    why = kernel_load(paddr_to_virt(kernel->start), kernel->end - kernel->start, &b.kernel);
    if (why)
        panic("%s", why);
    if (boot->module_count > 1)
        b.initrd_len = initrd->end - initrd->start;
    b.nr_pages = dom0_pages(o);
    b.d = domain_create(0, true);
    if (!b.d)
        panic("too little memory for domain 0");
    layout(&b);
    allocate(&b);
    load_kernel(&b);
    if (b.initrd_len)
        copy_to_pfns(&b, b.initrd_pfn << PAGE_SHIFT, paddr_to_virt(initrd->start), b.initrd_len);
    args = cmdline_module_args(kernel->string, cmdline_name_rule(boot->loader));
    fill_start_info(&b, args);
    build_tables(&b);
    copy_to_pfns(&b, (b.p2m_frames ? b.p2m_pfn : va_to_pfn(&b, b.p2m_va)) << PAGE_SHIFT, b.p2m,
                 b.nr_pages * 8);
    for (unsigned int i = 0; i < dom0_vcpus(o); i++)
        if (!vcpu_create(b.d, i))
            panic("too little memory for vCPU %u of domain 0", i);
    start_vcpu(&b);
    b.d->mm.max_pages = dom0_max_pages(o);
    kernel_unload(&b.kernel);
    free_hv_pages(b.p2m, b.p2m_order);
    hv_log(LOG_INFO, "domain 0: %lu MiB, %u vCPUs, entry %lx, %s\n", b.nr_pages >> 8, b.d->nr_vcpus,
           b.kernel.image.notes.entry, b.kernel.image.notes.guest_os);
    dom0 = b.d;
}
