/* SPDX-License-Identifier: MIT */
/*
 * Static ACPI tables.  Offsets and values are those of the ACPI specification 6.5: 5.2.5 (RSDP),
 * 5.2.6 (header), 5.2.9 (FADT), 5.2.12 (MADT); the HPET and MCFG tables are described by the
 * IA-PC HPET specification 1.0a, 3.2.4, and the PCI firmware specification, 4.1.2.
 *
 * Nothing in a table is believed: each field is read by a bounded copy, a table's length is checked
 * against what can be read, and loops are bounded by it.
 */
#include "hv/acpi.h"

#include "hv/lib.h"

#define RSDP_V1_LEN     20
#define RSDP_V2_LEN     36
#define HEADER_LEN      36
#define TABLE_MAX_LEN   (1u << 20) /* longer ones are not believed */
#define ROOT_MAX_TABLES 256

/* MADT entries */
#define MADT_LAPIC        0
#define MADT_IOAPIC       1
#define MADT_OVERRIDE     2
#define MADT_LAPIC_ADDR   5
#define MADT_X2APIC       9
#define MADT_CPU_ENABLED  1u
#define MADT_FLAG_PCAT    1u
/* Flags of interrupt overrides (MPS INTI) */
#define INTI_POLARITY     3u
#define INTI_ACTIVE_LOW   3u
#define INTI_TRIGGER      (3u << 2)
#define INTI_LEVEL        (3u << 2)

#define FADT_TMR_VAL_EXT   (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)

struct reader {
    acpi_read_fn read;
    void *ctx;
};

/* A table: [pa, pa+len), len as its header says. */
struct table {
    const struct reader *r;
    uint64_t pa;
    uint32_t len;
};

/* Little-endian field of up to 8 bytes; 0 if it is not inside the table. */
static uint64_t field(const struct table *t, uint32_t offset, uint32_t size)
{
    uint64_t value = 0;

    if (offset > t->len || size > t->len - offset)
        return 0;
    if (!t->r->read(t->r->ctx, t->pa + offset, &value, size))
        return 0;
    return value;
}

static bool checksum_ok(const struct reader *r, uint64_t pa, uint32_t len)
{
    uint8_t sum = 0;
    uint8_t chunk[64];

    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done < sizeof(chunk) ? len - done : sizeof(chunk);

        if (pa + done < pa || !r->read(r->ctx, pa + done, chunk, n))
            return false;
        for (uint32_t i = 0; i < n; i++)
            sum = (uint8_t)(sum + chunk[i]);
        done += n;
    }
    return sum == 0;
}

/* Check the header at pa; the signature goes to sig. */
static bool open_table(const struct reader *r, uint64_t pa, struct table *t, char sig[4])
{
    uint8_t head[8];

    if (!pa || !r->read(r->ctx, pa, head, sizeof(head)))
        return false;
    memcpy(sig, head, 4);
    t->r = r;
    t->pa = pa;
    memcpy(&t->len, head + 4, 4);
    if (t->len < HEADER_LEN || t->len > TABLE_MAX_LEN)
        return false;
    return checksum_ok(r, pa, t->len);
}

/* ------------------------------------------------------------------ MADT */

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (info->nr_cpus == ACPI_MAX_CPUS) {
        info->dropped++;
        return;
    }
    info->cpu[info->nr_cpus++] = (struct acpi_cpu){
        .apic_id = apic_id, .acpi_id = acpi_id, .enabled = flags & MADT_CPU_ENABLED
    };
}

static void add_ioapic(struct acpi_info *info, const struct table *t, uint32_t at)
{
    if (info->nr_ioapics == ACPI_MAX_IOAPICS) {
        info->dropped++;
        return;
    }
    info->ioapic[info->nr_ioapics++] = (struct acpi_ioapic){
        .id = (uint8_t)field(t, at + 2, 1),
        .address = field(t, at + 4, 4),
        .gsi_base = (uint32_t)field(t, at + 8, 4),
    };
}

static void add_override(struct acpi_info *info, const struct table *t, uint32_t at)
{
    uint32_t flags = (uint32_t)field(t, at + 8, 2);
    uint8_t isa_irq = (uint8_t)field(t, at + 3, 1);

    if (field(t, at + 2, 1) != 0 || isa_irq >= 16) /* bus 0 is ISA */
        return;
    if (info->nr_overrides == ACPI_MAX_OVERRIDES) {
        info->dropped++;
        return;
    }
    info->override[info->nr_overrides++] = (struct acpi_override){
        .isa_irq = isa_irq,
        .gsi = (uint32_t)field(t, at + 4, 4),
        .level = (flags & INTI_TRIGGER) == INTI_LEVEL,
        .active_low = (flags & INTI_POLARITY) == INTI_ACTIVE_LOW,
    };
}

static void madt_entry(struct acpi_info *info, const struct table *t, uint32_t at, uint32_t len)
{
    switch (field(t, at, 1)) {
    case MADT_LAPIC:
        /* 0xff is no APIC's number: such entries only fill the table. */
        if (len >= 8 && field(t, at + 3, 1) != 0xff)
            add_cpu(info, (uint32_t)field(t, at + 3, 1), (uint32_t)field(t, at + 2, 1),
                    (uint32_t)field(t, at + 4, 4));
        break;
    case MADT_X2APIC:
        if (len >= 16 && field(t, at + 4, 4) != 0xffffffffu)
            add_cpu(info, (uint32_t)field(t, at + 4, 4), (uint32_t)field(t, at + 12, 4),
                    (uint32_t)field(t, at + 8, 4));
        break;
    case MADT_IOAPIC:
        if (len >= 12)
            add_ioapic(info, t, at);
        break;
    case MADT_OVERRIDE:
        if (len >= 10)
            add_override(info, t, at);
        break;
    case MADT_LAPIC_ADDR:
        if (len >= 12)
            info->lapic_address = field(t, at + 4, 8);
        break;
    default:
        break;
    }
}

static void parse_madt(struct acpi_info *info, const struct table *t)
{
    uint32_t at = HEADER_LEN + 8;

    if (info->has_madt || t->len < at)
        return;
    info->has_madt = true;
    info->lapic_address = field(t, HEADER_LEN, 4);
    info->has_8259 = field(t, HEADER_LEN + 4, 4) & MADT_FLAG_PCAT;
    while (at + 2 <= t->len) {
        uint32_t len = (uint32_t)field(t, at + 1, 1);

        if (len < 2 || len > t->len - at)
            return;
        madt_entry(info, t, at, len);
        at += len;
    }
}

/* ------------------------------------------------------------------ the others */

/* Generic address structure, 5.2.3.2. */
static struct acpi_register gas(const struct table *t, uint32_t at)
{
    uint8_t space = (uint8_t)field(t, at, 1);
    struct acpi_register reg = { 0 };

    if (at + 12 > t->len || space > 1) /* 0: memory, 1: I/O */
        return reg;
    reg.address = field(t, at + 4, 8);
    reg.memory = space == 0;
    reg.bits = (uint8_t)field(t, at + 1, 1);
    if (!reg.memory && reg.address > 0xffff)
        reg.address = 0;
    return reg;
}

/* The 64-bit field takes precedence over the old port number. */
static struct acpi_register fadt_register(const struct table *t, uint32_t extended, uint32_t port)
{
    struct acpi_register reg = gas(t, extended);

    if (!reg.address) {
        reg.address = field(t, port, 4) & 0xffff;
        reg.memory = false;
        reg.bits = 0;
    }
    return reg;
}

static void parse_fadt(struct acpi_info *info, const struct table *t)
{
    uint32_t flags = (uint32_t)field(t, 112, 4);

    if (info->has_fadt)
        return;
    info->has_fadt = true;
    info->sci_irq = (uint16_t)field(t, 46, 2);
    info->pm1a_cnt = fadt_register(t, 172, 64);
    info->pm1b_cnt = fadt_register(t, 184, 68);
    info->pm_timer = fadt_register(t, 208, 76);
    info->pm_timer_32 = flags & FADT_TMR_VAL_EXT;
    if (flags & FADT_RESET_REG_SUP) {
        info->reset = gas(t, 116);
        info->reset_value = (uint8_t)field(t, 128, 1);
    }
}

static void parse_hpet(struct acpi_info *info, const struct table *t)
{
    struct acpi_register reg = gas(t, HEADER_LEN + 4);

    if (reg.memory)
        info->hpet_address = reg.address;
}

static void parse_mcfg(struct acpi_info *info, const struct table *t)
{
    for (uint32_t at = HEADER_LEN + 8; at + 16 <= t->len; at += 16) {
        if (field(t, at + 8, 2) != 0)
            continue;
        info->mmcfg_address = field(t, at, 8);
        info->mmcfg_start = (uint8_t)field(t, at + 10, 1);
        info->mmcfg_end = (uint8_t)field(t, at + 11, 1);
        return;
    }
}

static const struct {
    char sig[4];
    void (*parse)(struct acpi_info *info, const struct table *t);
} parsers[] = {
    { { 'A', 'P', 'I', 'C' }, parse_madt },
    { { 'F', 'A', 'C', 'P' }, parse_fadt },
    { { 'H', 'P', 'E', 'T' }, parse_hpet },
    { { 'M', 'C', 'F', 'G' }, parse_mcfg },
};

static void parse_table(struct acpi_info *info, const struct reader *r, uint64_t pa)
{
    struct table t;
    char sig[4];

    if (!open_table(r, pa, &t, sig))
        return;
    for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        if (memcmp(sig, parsers[i].sig, 4) == 0)
            parsers[i].parse(info, &t);
    }
}

/* ------------------------------------------------------------------ the root */

static bool rsdp_ok(const struct reader *r, uint64_t pa, uint8_t rsdp[RSDP_V2_LEN])
{
    memset(rsdp, 0, RSDP_V2_LEN);
    if (!r->read(r->ctx, pa, rsdp, RSDP_V1_LEN) || memcmp(rsdp, "RSD PTR ", 8) != 0 ||
        !checksum_ok(r, pa, RSDP_V1_LEN))
        return false;
    if (rsdp[15] < 2) /* revision */
        return true;
    return r->read(r->ctx, pa, rsdp, RSDP_V2_LEN) && checksum_ok(r, pa, RSDP_V2_LEN);
}

/* Root tables: RSDT with 4-byte pointers or XSDT with 8-byte ones. */
static bool parse_root(struct acpi_info *info, const struct reader *r, uint64_t pa,
                       const char *want, uint32_t width)
{
    struct table t;
    char sig[4];
    uint32_t nr;

    if (!open_table(r, pa, &t, sig) || memcmp(sig, want, 4) != 0)
        return false;
    nr = (t.len - HEADER_LEN) / width;
    for (uint32_t i = 0; i < nr && i < ROOT_MAX_TABLES; i++)
        parse_table(info, r, field(&t, HEADER_LEN + i * width, width));
    return true;
}

/* From a good root pointer; *info is all zeroes at first, and again on failure. */
static bool parse_rsdp(struct acpi_info *info, const struct reader *r, const uint8_t *rsdp)
{
    uint64_t xsdt = 0;
    uint32_t rsdt;

    memcpy(&rsdt, rsdp + 16, 4);
    if (rsdp[15] >= 2)
        memcpy(&xsdt, rsdp + 24, 8);
    if (parse_root(info, r, xsdt, "XSDT", 8) || parse_root(info, r, rsdt, "RSDT", 4))
        return true;
    memset(info, 0, sizeof(*info));
    return false;
}

bool acpi_parse(acpi_read_fn read, void *ctx, uint64_t rsdp, struct acpi_info *info)
{
    const struct reader r = { read, ctx };
    uint8_t root[RSDP_V2_LEN];

    memset(info, 0, sizeof(*info));
    if (!rsdp || !rsdp_ok(&r, rsdp, root) || !parse_rsdp(info, &r, root))
        return false;
    info->rsdp = rsdp;
    return true;
}

/* Memory that is a buffer: what a copy of the root pointer is checked through. */
struct copy {
    const uint8_t *bytes;
    size_t length;
};

static bool read_copy(void *ctx, uint64_t at, void *buf, size_t len)
{
    const struct copy *copy = ctx;

    if (at > copy->length || len > copy->length - at)
        return false;
    memcpy(buf, copy->bytes + at, len);
    return true;
}

bool acpi_parse_copy(acpi_read_fn read, void *ctx, const uint8_t *rsdp, size_t length,
                     struct acpi_info *info)
{
    struct copy copy = { rsdp, length };
    const struct reader in_copy = { read_copy, &copy }, r = { read, ctx };
    uint8_t root[RSDP_V2_LEN];

    memset(info, 0, sizeof(*info));
    return rsdp_ok(&in_copy, 0, root) && parse_rsdp(info, &r, root);
}

static uint64_t search(const struct reader *r, uint64_t from, uint64_t to)
{
    uint8_t rsdp[RSDP_V2_LEN];

    for (uint64_t pa = from; pa < to; pa += 16) {
        if (rsdp_ok(r, pa, rsdp))
            return pa;
    }
    return 0;
}

uint64_t acpi_find_rsdp(acpi_read_fn read, void *ctx)
{
    const struct reader r = { read, ctx };
    uint16_t segment = 0;
    uint64_t found = 0;

    /* 5.2.5.1: the first KiB of the EBDA (its segment is at 0x40e), then the BIOS' read-only area. */
    if (read(ctx, 0x40e, &segment, 2) && segment >= 0x8000)
        found = search(&r, (uint64_t)segment << 4, ((uint64_t)segment << 4) + 1024);
    return found ? found : search(&r, 0xe0000, 0x100000);
}

uint64_t acpi_find_copied(acpi_read_fn read, void *ctx, const uint8_t *rsdp, size_t length,
                          uint64_t from, uint64_t to)
{
    const struct reader r = { read, ctx };
    uint8_t found[RSDP_V2_LEN];

    if (length < RSDP_V1_LEN || length > RSDP_V2_LEN)
        return 0;
    /* UEFI's allocator of pools aligns its header, and what is behind that only to 4. */
    for (uint64_t pa = ROUND_UP(from, 4); pa < to && to - pa >= length; pa += 4) {
        if (rsdp_ok(&r, pa, found) && memcmp(found, rsdp, RSDP_V1_LEN) == 0)
            return pa;
    }
    return 0;
}
