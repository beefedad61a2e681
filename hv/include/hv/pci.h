/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by ports 0xcf8-0xcff, shared between the hypervisor and domain 0.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include "hv/domain.h"
#include "hv/types.h"

/* size: 1, 2 or 4 bytes, naturally aligned; reg below 256.  Segment 0. */
uint32_t pci_cfg_read(uint8_t bus, uint8_t devfn, uint8_t reg, unsigned int size);
void pci_cfg_write(uint8_t bus, uint8_t devfn, uint8_t reg, unsigned int size, uint32_t value);
/* Offset of a capability in the device's list, 0 if it has none. */
uint8_t pci_find_cap(uint8_t bus, uint8_t devfn, uint8_t id);

/*
 * Port accesses of a guest to 0xcf8-0xcff, with an address latch of its own so that it may be
 * interrupted between address and data.  false: another port, or an access that is not for the
 * latch (0xcf9 is the reset control register): the caller treats it as any port.
 */
bool pci_io_read(struct vcpu *v, uint16_t port, unsigned int size, uint32_t *value);
bool pci_io_write(struct vcpu *v, uint16_t port, unsigned int size, uint32_t value);

/* Whether a domain may use these ports at all; the I/O privilege level is another matter. */
bool ioport_permitted(struct domain *d, uint16_t port, unsigned int bytes);

#endif
