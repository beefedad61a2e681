/* SPDX-License-Identifier: MIT */
/*
 * physdev_op (public/physdev.h): how domain 0 gets at interrupts and ports.
 *
 * A pirq's number is that of the interrupt everywhere: a line's is its GSI.
 */
#include "hv/domain.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/irq.h"
#include "hv/lib.h"
#include "hv/sites.h"
#include "hv/trace.h"

#define PORTS 65536

union physdev_arg {
    struct physdev_eoi eoi;
    struct physdev_pirq_eoi_gmfn eoi_gmfn;
    struct physdev_irq_status_query status;
    struct physdev_set_iopl set_iopl;
    struct physdev_set_iobitmap set_iobitmap;
    struct physdev_apic apic;
    struct physdev_irq irq;
    struct physdev_map_pirq map_pirq;
    struct physdev_unmap_pirq unmap_pirq;
    struct physdev_manage_pci manage_pci;
    struct physdev_setup_gsi setup_gsi;
    struct physdev_get_free_pirq free_pirq;
    struct physdev_pci_mmcfg_reserved mmcfg;
    struct physdev_pci_device device;
    struct physdev_restore_msi restore_msi;
    struct physdev_dbgp_op dbgp;
};

typedef int (*physdev_fn)(struct vcpu *v, union physdev_arg *arg);

static int op_eoi(struct vcpu *v, union physdev_arg *arg)
{
    return irq_guest_eoi(v->domain, arg->eoi.irq);
}

static int op_eoi_page_v1(struct vcpu *v, union physdev_arg *arg)
{
    return pirq_set_eoi_page(v->domain, arg->eoi_gmfn.gmfn, true);
}

static int op_eoi_page_v2(struct vcpu *v, union physdev_arg *arg)
{
    return pirq_set_eoi_page(v->domain, arg->eoi_gmfn.gmfn, false);
}

static int op_status_query(struct vcpu *v, union physdev_arg *arg)
{
    bool needs_eoi, shared;
    int rc = irq_query(arg->status.irq, &needs_eoi, &shared);

    (void)v;
    if (!rc)
        arg->status.flags = (needs_eoi ? XENIRQSTAT_needs_eoi : 0) |
                            (shared ? XENIRQSTAT_shared : 0);
    return rc;
}

static int op_set_iopl(struct vcpu *v, union physdev_arg *arg)
{
    if (arg->set_iopl.iopl > 3)
        return -XEN_EINVAL;
    v->iopl = arg->set_iopl.iopl;
    return 0;
}

static int op_set_iobitmap(struct vcpu *v, union physdev_arg *arg)
{
    uint64_t va = guest_handle_va(arg->set_iobitmap.bitmap);
    uint32_t ports = arg->set_iobitmap.nr_ports;

    if (ports > PORTS || !guest_range_ok(va, DIV_ROUND_UP(ports, 8)))
        return -XEN_EINVAL;
    v->iobmp = (uint8_t *)va;
    v->iobmp_limit = ports;
    return 0;
}

static int op_apic_read(struct vcpu *v, union physdev_arg *arg)
{
    (void)v;
    return ioapic_read_reg(arg->apic.apic_physbase, arg->apic.reg, &arg->apic.value);
}

/*
 * Vectors, masks and destinations are the hypervisor's: of an entry's low half the trigger mode and
 * the polarity are taken, all else is ignored.
 */
static int op_apic_write(struct vcpu *v, union physdev_arg *arg)
{
    struct ioapic_line line;
    uint32_t gsi;

    (void)v;
    if (ioapic_decode_write(arg->apic.apic_physbase, arg->apic.reg, arg->apic.value, &gsi, &line))
        return 0;
    return irq_setup_gsi(gsi, line.level, line.active_low);
}

static int op_alloc_irq_vector(struct vcpu *v, union physdev_arg *arg)
{
    (void)v;
    return irq_assign_vector(arg->irq.irq, &arg->irq.vector);
}

/* A line keeps its vector for good. */
static int op_nothing(struct vcpu *v, union physdev_arg *arg)
{
    (void)v;
    (void)arg;
    return 0;
}

static int op_setup_gsi(struct vcpu *v, union physdev_arg *arg)
{
    const struct physdev_setup_gsi *op = &arg->setup_gsi;

    (void)v;
    if (op->gsi < 0)
        return -XEN_EINVAL;
    return irq_setup_gsi((uint32_t)op->gsi, op->triggering != 0, op->polarity != 0);
}

static int op_get_free_pirq(struct vcpu *v, union physdev_arg *arg)
{
    int pirq = irq_reserve(v->domain);

    if (pirq < 0)
        return pirq;
    arg->free_pirq.pirq = (uint32_t)pirq;
    return 0;
}

static int map_gsi(struct physdev_map_pirq *op)
{
    bool needs_eoi, shared;

    if (op->index < 0 || (uint32_t)op->index >= nr_gsis || (op->pirq >= 0 && op->pirq != op->index))
        return -XEN_EINVAL;
    if (irq_query((uint32_t)op->index, &needs_eoi, &shared))
        return -XEN_EINVAL;
    op->pirq = op->index;
    return 0;
}

static int map_msi(struct domain *d, struct physdev_map_pirq *op)
{
    struct msi_source src = {
        .bus = (uint8_t)op->bus, .devfn = (uint8_t)op->devfn, .nr = 1,
        .msix = op->table_base != 0, .table_base = op->table_base,
    };
    int rc;

    if (op->type != MAP_PIRQ_TYPE_MSI && op->bus >> 16) /* segment: out of mechanism 1's reach */
        return -XEN_EINVAL;
    if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
        if (op->entry_nr < 1 || op->entry_nr > 32)
            return -XEN_EINVAL;
        while (src.nr < (uint32_t)op->entry_nr)
            src.nr *= 2;
        src.msix = false;
    } else {
        if (op->entry_nr < 0 || op->entry_nr > 0x7ff)
            return -XEN_EINVAL;
        src.entry = (uint16_t)op->entry_nr;
    }
    spin_lock(&pirq_lock);
    rc = irq_map_msi(d, &src, op->pirq);
    spin_unlock(&pirq_lock);
    if (rc < 0)
        return rc;
    op->pirq = rc;
    if (op->type == MAP_PIRQ_TYPE_MULTI_MSI)
        op->entry_nr = (int)src.nr;
    return 0;
}

/* Devices are domain 0's: it maps for itself only. */
static bool for_self(const struct vcpu *v, domid_t domid)
{
    return domid == DOMID_SELF || domid == v->domain->id;
}

static int op_map_pirq(struct vcpu *v, union physdev_arg *arg)
{
    struct physdev_map_pirq *op = &arg->map_pirq;

    if (!for_self(v, op->domid))
        return domain_find(op->domid) ? -XEN_EOPNOTSUPP : -XEN_ESRCH;
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        return map_gsi(op);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return map_msi(v->domain, op);
    default:
        return -XEN_EINVAL;
    }
}

static int op_unmap_pirq(struct vcpu *v, union physdev_arg *arg)
{
    int rc;

    if (!for_self(v, arg->unmap_pirq.domid))
        return domain_find(arg->unmap_pirq.domid) ? -XEN_EOPNOTSUPP : -XEN_ESRCH;
    if (arg->unmap_pirq.pirq < 0)
        return -XEN_EINVAL;
    spin_lock(&pirq_lock);
    rc = irq_unmap(v->domain, (uint32_t)arg->unmap_pirq.pirq);
    spin_unlock(&pirq_lock);
    return rc;
}

static int op_restore_msi(struct vcpu *v, union physdev_arg *arg)
{
    (void)v;
    return irq_restore_msi(arg->restore_msi.bus, arg->restore_msi.devfn);
}

static int op_restore_msi_ext(struct vcpu *v, union physdev_arg *arg)
{
    (void)v;
    if (arg->device.seg)
        return -XEN_EINVAL;
    return irq_restore_msi(arg->device.bus, arg->device.devfn);
}

/*
 * All operations.  "Nothing": domain 0 tells what the hypervisor does not need to know, since it
 * keeps no list of PCI devices, uses no MMCFG and no debug port.
 */
static const struct {
    physdev_fn fn;
    uint8_t size;       /* bytes of the argument */
    bool out;           /* it has results */
    bool any;           /* for all domains */
} ops[] = {
    [PHYSDEVOP_irq_status_query] = { op_status_query, sizeof(struct physdev_irq_status_query), true, false },
    [PHYSDEVOP_set_iopl] = { op_set_iopl, sizeof(struct physdev_set_iopl), false, true },
    [PHYSDEVOP_set_iobitmap] = { op_set_iobitmap, sizeof(struct physdev_set_iobitmap), false, true },
    [PHYSDEVOP_apic_read] = { op_apic_read, sizeof(struct physdev_apic), true, false },
    [PHYSDEVOP_apic_write] = { op_apic_write, sizeof(struct physdev_apic), false, false },
    [PHYSDEVOP_alloc_irq_vector] = { op_alloc_irq_vector, sizeof(struct physdev_irq), true, false },
    [PHYSDEVOP_free_irq_vector] = { op_nothing, sizeof(struct physdev_irq), false, false },
    [PHYSDEVOP_eoi] = { op_eoi, sizeof(struct physdev_eoi), false, false },
    [PHYSDEVOP_map_pirq] = { op_map_pirq, sizeof(struct physdev_map_pirq), true, false },
    [PHYSDEVOP_unmap_pirq] = { op_unmap_pirq, sizeof(struct physdev_unmap_pirq), false, false },
    [PHYSDEVOP_manage_pci_add] = { op_nothing, sizeof(struct physdev_manage_pci), false, false },
    [PHYSDEVOP_manage_pci_remove] = { op_nothing, sizeof(struct physdev_manage_pci), false, false },
    [PHYSDEVOP_pirq_eoi_gmfn_v1] = { op_eoi_page_v1, sizeof(struct physdev_pirq_eoi_gmfn), false, false },
    [PHYSDEVOP_restore_msi] = { op_restore_msi, sizeof(struct physdev_restore_msi), false, false },
    [PHYSDEVOP_manage_pci_add_ext] = { op_nothing, sizeof(struct physdev_manage_pci), false, false },
    [PHYSDEVOP_setup_gsi] = { op_setup_gsi, sizeof(struct physdev_setup_gsi), false, false },
    [PHYSDEVOP_get_free_pirq] = { op_get_free_pirq, sizeof(struct physdev_get_free_pirq), true, false },
    [PHYSDEVOP_pci_mmcfg_reserved] = { op_nothing, sizeof(struct physdev_pci_mmcfg_reserved), false, false },
    [PHYSDEVOP_pci_device_add] = { op_nothing, sizeof(struct physdev_pci_device), false, false },
    [PHYSDEVOP_pci_device_remove] = { op_nothing, sizeof(struct physdev_pci_device), false, false },
    [PHYSDEVOP_restore_msi_ext] = { op_restore_msi_ext, sizeof(struct physdev_pci_device), false, false },
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = { op_eoi_page_v2, sizeof(struct physdev_pirq_eoi_gmfn), false, false },
    [PHYSDEVOP_dbgp_op] = { op_nothing, sizeof(struct physdev_dbgp_op), false, false },
    [PHYSDEVOP_prepare_msix] = { op_nothing, sizeof(struct physdev_pci_device), false, false },
    [PHYSDEVOP_release_msix] = { op_nothing, sizeof(struct physdev_pci_device), false, false },
};

static long run(unsigned int cmd, uint64_t va)
{
    struct vcpu *v = current();
    union physdev_arg arg;
    long rc;

    if (cmd >= ARRAY_SIZE(ops) || !ops[cmd].fn)
        return -XEN_ENOSYS;
    if (!ops[cmd].any && !v->domain->privileged)
        return -XEN_EPERM;
    if (copy_from_guest_va(&arg, va, ops[cmd].size))
        return -XEN_EFAULT;
    rc = ops[cmd].fn(v, &arg);
    if (!rc && ops[cmd].out && copy_to_guest_va(va, &arg, ops[cmd].size))
        rc = -XEN_EFAULT;
    return rc;
}

long do_physdev_op(HCALL_ARGS2(cmd, va))
{
    return run((unsigned int)cmd, va);
}

/* As above with the command in memory, for the operations of struct physdev_op. */
long do_physdev_op_compat(HCALL_ARGS1(va))
{
    uint32_t cmd;

    if (!copy_from_guest(&cmd, va, 1))
        return -XEN_EFAULT;
    SITES_OPERATION(__HYPERVISOR_physdev_op_compat, cmd);
    trace_operation(__HYPERVISOR_physdev_op_compat, cmd, 0);
    switch (cmd) {
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_set_iopl:
    case PHYSDEVOP_set_iobitmap:
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
    case PHYSDEVOP_alloc_irq_vector:
    case PHYSDEVOP_free_irq_vector:
        return run(cmd, va + offsetof(struct physdev_op, u));
    default:
        return -XEN_ENOSYS;
    }
}
