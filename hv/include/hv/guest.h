/* SPDX-License-Identifier: MIT */
/*
 * Guest memory seen from the hypervisor: the current vCPU's address space is loaded (the guest
 * kernel's tables while it is in kernel mode), so guest virtual addresses are used as they are.
 * Every access is bounded to addresses outside the hypervisor's range; a fault on the way is
 * caught through the exception table.
 */
#ifndef HV_GUEST_H
#define HV_GUEST_H

#include "hv/types.h"
#include "hv/xenpub.h"

/*
 * Whether [va, va+len) lies outside the hypervisor's range.  Non-canonical addresses pass: they
 * fault when used, which is caught.
 */
static inline bool guest_range_ok(uint64_t va, uint64_t len)
{
    uint64_t end = va + len;

    return end >= va && (end <= HYPERVISOR_VIRT_START || va >= HYPERVISOR_VIRT_END);
}

/* As copy_from/to_user elsewhere: number of bytes NOT copied (0 = all well). */
size_t copy_from_guest_va(void *to, uint64_t guest_va, size_t n);
size_t copy_to_guest_va(uint64_t guest_va, const void *from, size_t n);
size_t clear_guest_va(uint64_t guest_va, size_t n);

/* Read/write one 8-byte word; false if it faulted or is out of range. */
bool get_guest_u64(uint64_t guest_va, uint64_t *value);
bool put_guest_u64(uint64_t guest_va, uint64_t value);
/* Locked compare-and-exchange of the aligned word at guest_va: 0 = swapped, 1 = *old was not there
 * (and now holds what was), -1 = fault. */
int cmpxchg_guest_u64(uint64_t guest_va, uint64_t *old, uint64_t new_value);

/* Typed forms: elements of an array in guest memory named by pointer (hypercall argument). */
#define copy_from_guest(to, va, count) \
    (copy_from_guest_va((to), (uint64_t)(va), sizeof(*(to)) * (count)) == 0)
#define copy_to_guest(va, from, count) \
    (copy_to_guest_va((uint64_t)(va), (from), sizeof(*(from)) * (count)) == 0)
/* For where the guest has itself to blame when the address is bad. */
#define copy_to_guest_or_not(va, from, count) \
    ((void)copy_to_guest_va((uint64_t)(va), (from), sizeof(*(from)) * (count)))
/* Pointer value held in a XEN_GUEST_HANDLE. */
#define guest_handle_va(h) ((uint64_t)(h).p)

#endif
