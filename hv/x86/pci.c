/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3).
 */
#include "hv/pci.h"

#include "hv/asm.h"
#include "hv/serial.h"
#include "hv/spinlock.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

#define PCI_STATUS          0x06
#define PCI_STATUS_CAP_LIST 0x10
#define PCI_CAP_POINTER     0x34
#define PCI_CAPS_MAX        48 /* as many as fit between 0x40 and 0xff */

static spinlock_t config_lock;
static uint32_t guest_latch; /* domain 0 is the only one with access */

static uint32_t data_in(uint16_t port, unsigned int size)
{
    switch (size) {
    case 1:
        return inb(port);
    case 2:
        return inw(port);
    default:
        return inl(port);
    }
}

static void data_out(uint16_t port, unsigned int size, uint32_t value)
{
    switch (size) {
    case 1:
        outb(port, (uint8_t)value);
        break;
    case 2:
        outw(port, (uint16_t)value);
        break;
    default:
        outl(port, value);
        break;
    }
}

static uint32_t config_address(uint8_t bus, uint8_t devfn, uint8_t reg)
{
    return CONFIG_ENABLE | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (reg & 0xfcu);
}

uint32_t pci_cfg_read(uint8_t bus, uint8_t devfn, uint8_t reg, unsigned int size)
{
    uint32_t value;

    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, config_address(bus, devfn, reg));
    value = data_in(CONFIG_DATA + (reg & 3), size);
    spin_unlock(&config_lock);
    return value;
}

void pci_cfg_write(uint8_t bus, uint8_t devfn, uint8_t reg, unsigned int size, uint32_t value)
{
    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, config_address(bus, devfn, reg));
    data_out(CONFIG_DATA + (reg & 3), size, value);
    spin_unlock(&config_lock);
}

uint8_t pci_find_cap(uint8_t bus, uint8_t devfn, uint8_t id)
{
    uint8_t pos;

    if (!(pci_cfg_read(bus, devfn, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
        return 0;
    pos = pci_cfg_read(bus, devfn, PCI_CAP_POINTER, 1) & 0xfc;
    for (unsigned int i = 0; i < PCI_CAPS_MAX && pos >= 0x40; i++) {
        uint32_t head = pci_cfg_read(bus, devfn, pos, 2);

        if ((head & 0xff) == id)
            return pos;
        if ((head & 0xff) == 0xff) /* no device there */
            break;
        pos = head >> 8 & 0xfc;
    }
    return 0;
}

static bool is_latch(uint16_t port, unsigned int size)
{
    return port == CONFIG_ADDRESS && size == 4;
}

static bool is_data(uint16_t port, unsigned int size)
{
    return port >= CONFIG_DATA && port + size <= CONFIG_DATA + 4;
}

bool pci_io_read(struct vcpu *v, uint16_t port, unsigned int size, uint32_t *value)
{
    (void)v;
    if (is_latch(port, size)) {
        *value = READ_ONCE(guest_latch);
        return true;
    }
    if (!is_data(port, size))
        return false;
    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, guest_latch);
    *value = data_in(port, size);
    spin_unlock(&config_lock);
    return true;
}

bool pci_io_write(struct vcpu *v, uint16_t port, unsigned int size, uint32_t value)
{
    (void)v;
    if (is_latch(port, size)) {
        WRITE_ONCE(guest_latch, value);
        return true;
    }
    if (!is_data(port, size))
        return false;
    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, guest_latch);
    data_out(port, size, value);
    spin_unlock(&config_lock);
    return true;
}

/* What the hypervisor drives itself. */
static bool is_own_port(uint16_t port)
{
    /* The 8254 is domain 0's: the hypervisor is done with it, and its interrupt is masked. */
    return port == 0x20 || port == 0x21 || port == 0xa0 || port == 0xa1 || /* 8259s */
           serial_owns_port(port);
}

bool ioport_permitted(struct domain *d, uint16_t port, unsigned int bytes)
{
    if (!d->privileged)
        return false;
    for (unsigned int i = 0; i < bytes; i++) {
        if (is_own_port((uint16_t)(port + i)))
            return false;
    }
    return true;
}
