/* SPDX-License-Identifier: MIT */
/*
 * platform_op (public/platform.h): what domain 0's kernel asks of the machine.
 */
#include "hv/acpi.h"
#include "hv/asm.h"
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/paging.h"
#include "hv/percpu.h"
#include "hv/sites.h"
#include "hv/symbols.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/traps.h"
#include "hv/x86.h"

#define MSR_MTRR_CAP    0xfe
#define MTRR_CAP_COUNT  0xff
#define MSR_MTRR_BASE0  0x200
#define MTRR_TYPE_MASK  0xffUL
#define MTRR_MASK_VALID (1UL << 11)
#define CPUID_MTRR      (1u << 12)

/* ------------------------------------------------------------------ clocks */

static long op_settime64(struct xen_platform_op *op)
{
    if (op->u.settime64.mbz || op->u.settime64.nsecs >= 1000000000)
        return -XEN_EINVAL;
    time_set_wallclock(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
    return 0;
}

static long op_settime32(struct xen_platform_op *op)
{
    if (op->u.settime32.nsecs >= 1000000000)
        return -XEN_EINVAL;
    time_set_wallclock(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    return 0;
}

/* ------------------------------------------------------------------ memory types */

static unsigned int mtrr_count(void)
{
    uint32_t r[4];

    cpuid_count(1, 0, r);
    return r[3] & CPUID_MTRR ? rdmsr(MSR_MTRR_CAP) & MTRR_CAP_COUNT : 0;
}

/* Bits of a machine address, AMD APM volume 3, CPUID 0x80000008. */
static unsigned int address_bits(void)
{
    uint32_t r[4];

    cpuid_count(0x80000000, 0, r);
    if (r[0] < 0x80000008)
        return 36;
    cpuid_count(0x80000008, 0, r);
    return r[0] & 0xff;
}

/* A register that is not in use covers no frames. */
static long op_read_memtype(struct xen_platform_op *op)
{
    struct xenpf_read_memtype *m = &op->u.read_memtype;
    uint64_t base, mask;

    if (m->reg >= mtrr_count())
        return -XEN_EINVAL;
    base = rdmsr(MSR_MTRR_BASE0 + 2 * m->reg);
    mask = rdmsr(MSR_MTRR_BASE0 + 2 * m->reg + 1);
    m->mfn = 0;
    m->nr_mfns = 0;
    m->type = 0;
    if (mask & MTRR_MASK_VALID) {
        uint64_t covered = (mask >> PAGE_SHIFT) & ((1UL << (address_bits() - PAGE_SHIFT)) - 1);

        /* The lowest bit of the mask is the size. */
        m->mfn = base >> PAGE_SHIFT & ((1UL << (address_bits() - PAGE_SHIFT)) - 1);
        m->nr_mfns = covered & -covered;
        m->type = base & MTRR_TYPE_MASK;
    }
    return 0;
}

/* The firmware's memory types stand; write-combining is the page tables' to ask for (PAT). */
static long op_no_memtype(struct xen_platform_op *op)
{
    (void)op;
    return -XEN_EOPNOTSUPP;
}

/* ------------------------------------------------------------------ firmware */

#define BDA_SHIFT_FLAGS 0x417

/* No real-mode firmware was asked at boot: there are no disks and no display to tell of. */
static long op_firmware_info(struct xen_platform_op *op)
{
    struct xenpf_firmware_info *fw = &op->u.firmware_info;

    switch (fw->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
        return -XEN_ENOENT;
    case XEN_FW_VBEDDC_INFO:
        return -XEN_ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        fw->u.kbd_shift_flags = *(const volatile uint8_t *)paddr_to_virt(BDA_SHIFT_FLAGS);
        return 0;
    case XEN_FW_EFI_INFO:
        return -XEN_ENOSYS;
    default:
        return -XEN_EINVAL;
    }
}

#define PM1_SLP_EN (1u << 13)

static void pm1_write(const struct acpi_register *reg, uint16_t value)
{
    if (!reg->address)
        return;
    if (reg->memory)
        *(volatile uint16_t *)ioremap(reg->address, 2) = value;
    else
        outw((uint16_t)reg->address, value);
}

/* S5 ends the machine; sleep states to come back from are not supported. */
static long op_enter_acpi_sleep(struct xen_platform_op *op)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

    if (s->flags & XENPF_ACPI_SLEEP_EXTENDED)
        return -XEN_EOPNOTSUPP;
    if (s->flags || s->sleep_state < 1 || s->sleep_state > 5)
        return -XEN_EINVAL;
    if (s->sleep_state != 5)
        return -XEN_EOPNOTSUPP;
    if (!acpi.pm1a_cnt.address)
        return -XEN_ENODEV;
    hv_log(LOG_INFO, "power off\n");
    /* First the sleep type, then together with the enable bit, ACPI 16.1.7. */
    pm1_write(&acpi.pm1a_cnt, s->val_a & ~PM1_SLP_EN);
    pm1_write(&acpi.pm1b_cnt, s->val_b & ~PM1_SLP_EN);
    pm1_write(&acpi.pm1a_cnt, s->val_a | PM1_SLP_EN);
    pm1_write(&acpi.pm1b_cnt, s->val_b | PM1_SLP_EN);
    /* The power goes within milliseconds. */
    for (unsigned int i = 0; i < 100000000; i++)
        cpu_relax();
    hv_log(LOG_ERR, "the machine did not power off\n");
    return -XEN_EBUSY;
}

/* ------------------------------------------------------------------ processors */

static uint32_t acpi_id_of(uint32_t apic_id)
{
    for (uint32_t i = 0; i < acpi.nr_cpus; i++) {
        if (acpi.cpu[i].apic_id == apic_id)
            return acpi.cpu[i].acpi_id;
    }
    return ~0U;
}

static long op_get_cpuinfo(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *info = &op->u.pcpu_info;
    const struct cpu *c = info->xen_cpuid < nr_cpus ? cpus[info->xen_cpuid] : NULL;

    info->max_present = nr_cpus - 1;
    info->flags = XEN_PCPU_FLAGS_INVALID;
    info->apic_id = info->acpi_id = ~0U;
    if (c) {
        info->flags = c->online ? XEN_PCPU_FLAGS_ONLINE : 0;
        info->apic_id = c->apic_id;
        info->acpi_id = acpi_id_of(c->apic_id);
    }
    return 0;
}

/* All processors are taken to be alike. */
static long op_get_cpu_version(struct xen_platform_op *op)
{
    struct xenpf_pcpu_version *ver = &op->u.pcpu_version;
    uint32_t r[4], family, model;

    ver->max_present = nr_cpus - 1;
    memset(ver->vendor_id, 0, sizeof(ver->vendor_id));
    ver->family = ver->model = ver->stepping = 0;
    if (ver->xen_cpuid >= nr_cpus || !cpus[ver->xen_cpuid] || !cpus[ver->xen_cpuid]->online)
        return 0;
    cpuid_count(0, 0, r);
    memcpy(ver->vendor_id, &r[1], 4);
    memcpy(ver->vendor_id + 4, &r[3], 4);
    memcpy(ver->vendor_id + 8, &r[2], 4);
    cpuid_count(1, 0, r);
    family = r[0] >> 8 & 0xf;
    model = r[0] >> 4 & 0xf;
    if (family == 6 || family == 15)
        model |= r[0] >> 12 & 0xf0;
    if (family == 15)
        family += r[0] >> 20 & 0xff;
    ver->family = family;
    ver->model = model;
    ver->stepping = r[0] & 0xf;
    return 0;
}

static long op_cpu_hotplug(struct xen_platform_op *op)
{
    return op->u.cpu_ol.cpuid < nr_cpus ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
}

static long op_getidletime(struct xen_platform_op *op)
{
    struct xenpf_getidletime *t = &op->u.getidletime;
    uint64_t map_va = guest_handle_va(t->cpumap_bitmap), idle_va = guest_handle_va(t->idletime);

    t->now = now_ns();
    for (uint32_t byte = 0; byte < DIV_ROUND_UP(MIN(t->cpumap_nr_cpus, NR_CPUS), 8); byte++) {
        uint8_t map;

        if (!copy_from_guest(&map, map_va + byte, 1))
            return -XEN_EFAULT;
        for (uint32_t bit = 0; bit < 8; bit++) {
            uint32_t id = byte * 8 + bit;
            uint64_t idle;

            if (!(map & 1u << bit) || id >= t->cpumap_nr_cpus)
                continue;
            if (id >= nr_cpus || !cpus[id])
                map &= (uint8_t)~(1u << bit);
            idle = id < nr_cpus && cpus[id] ? READ_ONCE(cpus[id]->idle_ns) : 0;
            if (!copy_to_guest(idle_va + id * sizeof(idle), &idle, 1))
                return -XEN_EFAULT;
        }
        if (!copy_to_guest(map_va + byte, &map, 1))
            return -XEN_EFAULT;
    }
    return 0;
}

/* Power management of processors is left to them: what domain 0 knows is taken note of by nobody. */
static long op_set_processor_pminfo(struct xen_platform_op *op)
{
    switch (op->u.set_pminfo.type) {
    case XEN_PM_CX:
    case XEN_PM_PX:
    case XEN_PM_TX:
    case XEN_PM_PDC:
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

/* ------------------------------------------------------------------ MSRs and symbols */

#define RESOURCE_MAX_ENTRIES 3

/* The registers that a tool may read: none can be written, and none tells a guest's secrets. */
static bool resource_read(uint64_t idx, uint64_t *value)
{
    if (idx != MSR_TSC)
        return false;
    *value = now_ns();
    return true;
}

/* The number of entries that succeeded; the one that failed says why. */
static long op_resource(struct xen_platform_op *op)
{
    const struct xenpf_resource_op *res = &op->u.resource_op;
    uint64_t va = guest_handle_va(res->entries);
    uint32_t done;

    if (res->nr_entries == 0)
        return 0;
    if (res->nr_entries > RESOURCE_MAX_ENTRIES)
        return -XEN_E2BIG;
    if (res->cpu >= nr_cpus || !cpus[res->cpu] || !cpus[res->cpu]->online)
        return -XEN_ENODEV;
    for (done = 0; done < res->nr_entries; done++) {
        struct xenpf_resource_entry e;
        int ret = 0;

        if (!copy_from_guest(&e, va + done * sizeof(e), 1))
            return -XEN_EFAULT;
        if (e.rsvd)
            ret = -XEN_EINVAL;
        else if (e.u.cmd != XEN_RESOURCE_OP_MSR_READ && e.u.cmd != XEN_RESOURCE_OP_MSR_WRITE)
            ret = -XEN_EOPNOTSUPP;
        else if (e.u.cmd != XEN_RESOURCE_OP_MSR_READ || !resource_read(e.idx, &e.val))
            ret = -XEN_EPERM;
        e.u.ret = ret;
        if (!copy_to_guest(va + done * sizeof(e), &e, 1))
            return -XEN_EFAULT;
        if (ret)
            break;
    }
    return done;
}

static long op_get_symbol(struct xen_platform_op *op)
{
    struct xenpf_symdata *sym = &op->u.symdata;
    uint64_t va = guest_handle_va(sym->name);
    const char *name;
    uint32_t len, room = sym->namelen;

    if (!symbol_at(sym->symnum, &sym->address, &sym->type, &name)) {
        /* At the end the number stays as it is. */
        sym->namelen = 0;
        return 0;
    }
    len = (uint32_t)strlen(name);
    sym->namelen = len;
    sym->symnum++;
    /* With its NUL, as far as there is room. */
    if (copy_to_guest_va(va, name, MIN(len + 1, room)))
        return -XEN_EFAULT;
    return 0;
}

/* ------------------------------------------------------------------ the call */

static const struct {
    uint32_t cmd;
    long (*fn)(struct xen_platform_op *op);
} ops[] = {
    { XENPF_settime32, op_settime32 },
    { XENPF_settime64, op_settime64 },
    { XENPF_add_memtype, op_no_memtype },
    { XENPF_del_memtype, op_no_memtype },
    { XENPF_read_memtype, op_read_memtype },
    { XENPF_firmware_info, op_firmware_info },
    { XENPF_enter_acpi_sleep, op_enter_acpi_sleep },
    { XENPF_getidletime, op_getidletime },
    { XENPF_set_processor_pminfo, op_set_processor_pminfo },
    { XENPF_get_cpuinfo, op_get_cpuinfo },
    { XENPF_get_cpu_version, op_get_cpu_version },
    { XENPF_cpu_online, op_cpu_hotplug },
    { XENPF_cpu_offline, op_cpu_hotplug },
    { XENPF_resource_op, op_resource },
    { XENPF_get_symbol, op_get_symbol },
};

long do_platform_op(HCALL_ARGS1(va))
{
    struct xen_platform_op op;

    if (!current()->domain->privileged)
        return -XEN_EPERM;
    if (!copy_from_guest(&op, va, 1))
        return -XEN_EFAULT;
    SITES_OPERATION(__HYPERVISOR_platform_op, op.cmd);
    trace_operation(__HYPERVISOR_platform_op, op.cmd, 0);
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -XEN_EACCES;
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        long rc;

        if (ops[i].cmd != op.cmd)
            continue;
        rc = ops[i].fn(&op);
        if (rc >= 0 && !copy_to_guest(va, &op, 1))
            rc = -XEN_EFAULT;
        return rc;
    }
    return -XEN_ENOSYS;
}
