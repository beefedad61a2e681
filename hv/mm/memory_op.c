/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what a domain may ask about memory.  Reservations are in reservation.c.
 */
#include "hv/guest.h"

#include "memory_op.h"

static struct mem_map_entry machine_map[MEM_MAP_MAX];
static unsigned int nr_machine_map;

void mm_set_machine_map(const struct mem_map_entry *map, unsigned int nr)
{
    nr_machine_map = MIN(nr, (unsigned int)MEM_MAP_MAX);
    memcpy(machine_map, map, nr_machine_map * sizeof(*map));
}

void machine_map_from_ram(const struct mem_region *ram, unsigned int nr)
{
    nr_machine_map = MIN(nr, (unsigned int)MEM_MAP_MAX);
    for (unsigned int i = 0; i < nr_machine_map; i++)
        machine_map[i] = (struct mem_map_entry){ ram[i].start, ram[i].end - ram[i].start, 1 };
}

/* Copies out `map`; a NULL buffer asks for the number of rows. */
static long answer_map(unsigned long arg, const struct mem_map_entry *map, unsigned int nr)
{
    struct xen_memory_map req;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    if (guest_handle_va(req.buffer)) {
        if (req.nr_entries < nr)
            return -XEN_EINVAL;
        if (!copy_to_guest(guest_handle_va(req.buffer), map, nr))
            return -XEN_EFAULT;
    }
    req.nr_entries = nr;
    return copy_to_guest(arg, &req, 1) ? 0 : -XEN_EFAULT;
}

static long op_memory_map(struct domain *d, unsigned long arg)
{
    return d->mm.nr_map ? answer_map(arg, d->mm.map, d->mm.nr_map) : -XEN_ENOSYS;
}

static long op_machine_map(const struct domain *d, unsigned long arg)
{
    return d->privileged ? answer_map(arg, machine_map, nr_machine_map) : -XEN_EPERM;
}

static long op_set_memory_map(struct domain *caller, unsigned long arg)
{
    struct xen_foreign_memory_map req;
    struct mem_map_entry *map;
    struct domain *d;
    uint32_t nr;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    nr = req.map.nr_entries;
    if (nr == 0 || nr > MEM_MAP_MAX)
        return -XEN_EINVAL;
    d = memory_op_domain(caller, req.domid);
    if (!d)
        return -XEN_ESRCH;
    if (!caller->privileged)
        return -XEN_EPERM;
    map = hv_alloc(nr * sizeof(*map));
    if (!map)
        return -XEN_ENOMEM;
    if (!copy_from_guest(map, guest_handle_va(req.map.buffer), nr)) {
        hv_free(map, nr * sizeof(*map));
        return -XEN_EFAULT;
    }
    spin_lock(&d->mm.lock);
    hv_free(d->mm.map, d->mm.nr_map * sizeof(*map));
    d->mm.map = map;
    d->mm.nr_map = nr;
    spin_unlock(&d->mm.lock);
    return 0;
}

/* Frames of the M2P, 2 MiB apiece: read from the tables that map it for guests (slot 256). */
static uint64_t m2p_frame(uint64_t index)
{
    uint64_t va = RO_M2P_BASE + (index << LEVEL_SHIFT(2));
    uint64_t e = hv_l4_slots[table_index(va, 4) - HV_L4_FIRST];

    if (!(e & PTE_P))
        return 0;
    e = pte_table(e)[table_index(va, 3)];
    if (!(e & PTE_P) || (e & PTE_PSE))
        return e & PTE_P ? pte_frame(e) + (table_index(va, 2) << 9) : 0;
    e = pte_table(e)[table_index(va, 2)];
    return e & PTE_P ? pte_frame(e) : 0;
}

static long op_m2p_list(unsigned long arg)
{
    uint64_t extents = DIV_ROUND_UP(max_mfn * sizeof(uint64_t), 1UL << LEVEL_SHIFT(2));
    struct xen_machphys_mfn_list req;
    uint64_t i;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    extents = MIN(extents, (uint64_t)req.max_extents);
    for (i = 0; i < extents; i++) {
        if (!put_guest_u64(guest_handle_va(req.extent_start) + i * sizeof(xen_pfn_t),
                           m2p_frame(i)))
            return -XEN_EFAULT;
    }
    req.nr_extents = (uint32_t)i;
    return copy_to_guest(arg, &req, 1) ? 0 : -XEN_EFAULT;
}

static long op_m2p_mapping(unsigned long arg)
{
    struct xen_machphys_mapping map = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = MACH2PHYS_NR_ENTRIES - 1,
    };

    return copy_to_guest(arg, &map, 1) ? 0 : -XEN_EFAULT;
}

/* The number that the three questions about a domain's reservation answer. */
static long op_reservation(struct domain *caller, unsigned long cmd, unsigned long arg)
{
    struct xen_memory_domain req;
    struct domain *d;

    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    d = memory_op_domain(caller, req.domid);
    if (!d)
        return -XEN_ESRCH;
    switch (cmd) {
    case XENMEM_current_reservation:
        return (long)d->mm.tot_pages;
    case XENMEM_maximum_reservation:
        /* Guests read it as a positive number of pages. */
        return (long)MIN(d->mm.max_pages, (uint64_t)UINT32_MAX);
    default: /* XENMEM_maximum_gpfn; the guest itself keeps the count */
        return (long)READ_ONCE(d->shared->arch.max_pfn) - 1;
    }
}

/* A claim only tells whether there is enough now; nothing is set aside. */
static long op_claim(struct domain *caller, unsigned long arg)
{
    struct xen_memory_reservation req;
    struct domain *d;

    if (!caller->privileged)
        return -XEN_EPERM;
    if (!copy_from_guest(&req, arg, 1))
        return -XEN_EFAULT;
    if (guest_handle_va(req.extent_start) || req.extent_order || req.mem_flags)
        return -XEN_EINVAL;
    d = memory_op_domain(caller, req.domid);
    if (!d)
        return -XEN_ESRCH;
    if (req.nr_extents > d->mm.tot_pages && req.nr_extents - d->mm.tot_pages > free_frames())
        return -XEN_ENOMEM;
    return 0;
}

struct domain *memory_op_domain(struct domain *caller, uint32_t id)
{
    struct domain *d = foreign_domain(caller, id);

    return d == &dom_io || d == &dom_xen ? NULL : d;
}

long do_memory_op(unsigned long cmd, unsigned long arg, unsigned long a3, unsigned long a4,
                  unsigned long a5, unsigned long a6)
{
    struct domain *d = current()->domain;

    (void)a3;
    (void)a4;
    (void)a5;
    (void)a6;
    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return op_change_reservation(d, cmd, arg);
    case XENMEM_exchange:
        return op_exchange(d, arg);
    case XENMEM_maximum_ram_page:
        return (long)max_mfn - 1;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return op_reservation(d, cmd, arg);
    case XENMEM_machphys_mfn_list:
        return op_m2p_list(arg);
    case XENMEM_machphys_mapping:
        return op_m2p_mapping(arg);
    case XENMEM_memory_map:
        return op_memory_map(d, arg);
    case XENMEM_machine_memory_map:
        return op_machine_map(d, arg);
    case XENMEM_set_memory_map:
        return op_set_memory_map(d, arg);
    case XENMEM_claim_pages:
        return op_claim(d, arg);
    case XENMEM_acquire_resource:
        return op_acquire_resource(d, arg);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
        return -XEN_EINVAL; /* for translated guests only (public/memory.h) */
    default:
        return -XEN_ENOSYS;
    }
}
