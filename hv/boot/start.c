/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to domain 0, in order.
 */
#include "boot/cmdline.h"
#include "boot/dom0.h"
#include "boot/multiboot.h"
#include "hv/acpi.h"
#include "hv/apic.h"
#include "hv/asm.h"
#include "hv/console.h"
#include "hv/cpuid.h"
#include "hv/desc.h"
#include "hv/event.h"
#include "hv/fast.h"
#include "hv/image.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/mm.h"
#include "hv/paging.h"
#include "hv/pmu.h"
#include "hv/sched.h"
#include "hv/serial.h"
#include "hv/smp.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/vcpu.h"
#include "hv/version.h"
#include "hv/watchdog.h"

#define RSDP_SEARCH_MAX (16UL << 20) /* bytes of a region of tables; real ones have less */

char hv_cmdline[1024];
bool no_reboot;

static struct boot_info boot;
static struct boot_options options;
static struct boot_memory memory;

/* The first 4 GiB are mapped one to one at the direct map while the loader's data is read. */
static const void *__init early_map(void *ctx, uint64_t pa, size_t len)
{
    (void)ctx;
    return pa + len < pa || pa + len > 1UL << 32 ? NULL : paddr_to_virt(pa);
}

static void __init read_loader(uint32_t magic, uint32_t info)
{
    enum multiboot_status status = MULTIBOOT_UNREADABLE;

    if (magic == MULTIBOOT1_MAGIC)
        status = multiboot1_parse(&boot, info, early_map, NULL);
    else if (magic == MULTIBOOT2_MAGIC)
        status = multiboot2_parse(&boot, paddr_to_virt(info), multiboot2_size(paddr_to_virt(info)));
    else
        panic("started by something that is not a multiboot loader (%08x)", magic);
    if (status != MULTIBOOT_OK)
        panic("%s", multiboot_status_text(status));
}

static void __init complain(void *ctx, enum cmdline_complaint what, const char *text,
                            const char *token)
{
    (void)ctx;
    /* A domain 0 of another size than was asked for would only be noticed later, if at all. */
    if (what == CMDLINE_BAD_VALUE && !strncmp(token, "dom0", 4))
        panic("command line: %s: %s", text, token);
    printk("%s: command line: %s: %s\n", what == CMDLINE_UNKNOWN ? "warning" : "error", text, token);
}

static void __init read_options(void)
{
    const struct serial_option *com1 = &options.com1;
    const enum cmdline_name_rule rule = cmdline_name_rule(boot.loader);

    cmdline_defaults(&options);
    cmdline_parse(&options, boot.cmdline, rule, complain, NULL);
    strlcpy(hv_cmdline, cmdline_module_args(boot.cmdline, rule), sizeof(hv_cmdline));
    log_threshold = (enum log_level)options.loglvl;
    no_reboot = options.noreboot;
    if (options.watchdog)
        watchdog_enable();
    if (options.pmu_trust)
        pmu_trust();
    debug_exit_port = options.debug_exit;
    if (boot.modules_dropped)
        hv_log(LOG_WARNING, "warning: only the first %u boot modules are kept\n", BOOT_MODULES_MAX);
    if (com1->given)
        serial_configure(com1->io_base, com1->baud, com1->clock,
                         serial_format(com1->data_bits, com1->stop_bits, com1->parity), com1->irq);
}

/*
 * Below this RAM is what the firmware left there.  Domain 0 looks for the firmware's tables in it, also
 * where the machine's map says RAM (Linux, since 6.3: the iBFT, from 512 KiB on).
 */
#define LOW_END 0x100000

static void __init reserve(paddr_t start, paddr_t end)
{
    if (memory.nr_reserved == ARRAY_SIZE(memory.reserved) - 1)
        panic("too many boot modules");
    memory.reserved[memory.nr_reserved++] = (struct mem_region){ start, end };
}

/* A loader that does not look at the memory's size leaves modules where there is none. */
static void __init check_module(unsigned int i)
{
    paddr_t end = 0;

    for (unsigned int r = 0; r < memory.nr_ram; r++)
        end = MAX(end, memory.ram[r].end);
    if (boot.modules[i].end > end)
        panic("too little memory: boot module %u ends at 0x%lx, the memory at 0x%lx", i,
              boot.modules[i].end, end);
}

static void __init find_memory(void)
{
    for (unsigned int i = 0; i < boot.mem_count; i++) {
        const struct boot_mem_region *r = &boot.mem[i];

        if (r->type == BOOT_MEM_RAM && memory.nr_ram < ARRAY_SIZE(memory.ram))
            memory.ram[memory.nr_ram++] = (struct mem_region){ r->base, r->base + r->length };
    }
    reserve(0, LOW_END); /* BIOS data, EBDA, option ROMs, the trampoline */
    reserve(HV_LOAD_PADDR, HV_LOAD_PADDR + (__image_end - __image_start));
    for (unsigned int i = 0; i < boot.module_count; i++) {
        check_module(i);
        reserve(boot.modules[i].start, boot.modules[i].end);
    }
}

static void __init init_memory(void)
{
    uint64_t frames;

    find_memory();
    frames = paging_init(&memory);
    mm_init(frames, memory.ram, memory.nr_ram, memory.reserved, memory.nr_reserved);
    mm_leave_to_firmware(0, LOW_END >> PAGE_SHIFT);
    paging_heap_ready();
}

/*
 * On a UEFI machine the root pointer lies among the tables (UEFI specification 2.10, 2.3.4), which is
 * not where domain 0 would search.
 */
static void __init locate_rsdp(uint32_t type)
{
    for (unsigned int i = 0; i < boot.mem_count && !acpi.rsdp; i++) {
        const struct boot_mem_region *r = &boot.mem[i];

        if (r->type == type && r->length <= RSDP_SEARCH_MAX)
            acpi_locate(boot.rsdp, boot.rsdp_length, r->base, r->base + r->length);
    }
}

/* What domain 0 is told of the machine: the firmware's map, and the APICs as reserved. */
static void __init publish_memory_map(void)
{
    static struct mem_map_entry map[BOOT_MEM_MAX];
    struct boot_mem_region *mem = boot.mem;

    for (uint32_t i = 0; i < acpi.nr_ioapics && boot.mem_count < BOOT_MEM_MAX - 1; i++)
        mem[boot.mem_count++] = (struct boot_mem_region){ acpi.ioapic[i].address, PAGE_SIZE,
                                                          BOOT_MEM_RESERVED };
    if (acpi.lapic_address && boot.mem_count < BOOT_MEM_MAX)
        mem[boot.mem_count++] = (struct boot_mem_region){ acpi.lapic_address, 0x100000,
                                                          BOOT_MEM_RESERVED };
    boot_mem_sanitise(mem, &boot.mem_count);
    for (unsigned int i = 0; i < boot.mem_count; i++)
        map[i] = (struct mem_map_entry){ mem[i].base, mem[i].length, mem[i].type };
    mm_set_machine_map(map, boot.mem_count);
}

static void __init init_first_cpu(struct vcpu_hot *boot_hot)
{
    struct cpu *cpu;

    apic_init();
    idt_init();
    cpu_init_registers();
    nr_cpus = 1;
    cpu = cpu_create(0, apic_read_id());
    cpu->online = true;
    boot_hot->cpu = cpu;
    boot_hot->vcpu = cpu->idle;
    desc_load(cpu);
    desc_set_stack(cpu, cpu->idle->hot);
    apic_init_cpu();
}

static void __init start_other_cpus(void)
{
    uint32_t ids[ACPI_MAX_CPUS], n = 0, max = options.nosmp ? 1 : options.maxcpus;

    for (uint32_t i = 0; i < acpi.nr_cpus; i++)
        if (acpi.cpu[i].enabled && (!max || n < max))
            ids[n++] = acpi.cpu[i].apic_id;
    smp_init(ids, n);
}

static void __init show_memory(void)
{
    hv_log(LOG_INFO, "%lu MiB of memory, %lu MiB free, %u CPUs (%s)\n", total_frames() >> 8,
           free_frames() >> 8, nr_cpus, features.vendor);
}

/* The idle vCPU's stack takes over; the boot stack and the init sections are left behind. */
static void __noreturn run_idle(void)
{
    free_init_memory();
    watchdog_start_cpu(this_cpu());
    idle_loop();
}

static void __noreturn leave_boot_stack(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tcall *%1" ::"r"(this_cpu()->idle->hot), "r"(run_idle)
                     : "memory");
    __builtin_unreachable();
}

void hv_start(uint32_t magic, uint32_t info);
void __init hv_start(uint32_t magic, uint32_t info)
{
    struct vcpu_hot *boot_hot = hot(); /* of the boot stack */
    static struct cpu boot_cpu;

    boot_hot->cpu = &boot_cpu;
    serial_early_init();
    read_loader(magic, info);
    read_options();
    hv_log(LOG_INFO, "Radon, speaking Xen %d.%d%s\n", XEN_MAJOR, XEN_MINOR, XEN_EXTRAVERSION_TEXT);
    features_detect();
    init_memory();
    init_first_cpu(boot_hot);
    if (!acpi_init(boot.rsdp, boot.rsdp_length))
        hv_log(LOG_WARNING, "no ACPI tables\n");
    locate_rsdp(BOOT_MEM_ACPI);
    locate_rsdp(BOOT_MEM_NVS);
    publish_memory_map();
    irq_init(&acpi);
    time_init();
    sched_init(options.sched);
    start_other_cpus();
    show_memory();
    fast_init(options.fast);
    trace_start_flight(options.flight);
    dom0_build(&boot, &options);
    for (unsigned int i = 0; i < boot.module_count; i++)
        if (boot.modules[i].end > LOW_END)
            mm_release_region(MAX(boot.modules[i].start, (paddr_t)LOW_END), boot.modules[i].end);
    console_init();
    vcpu_set_online(dom0->vcpu[0]);
    leave_boot_stack();
}
