/* SPDX-License-Identifier: MIT */
#define __XEN_TOOLS__
#include "hvsyms.h"

#include <errno.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/platform.h>

#define NAME_BYTES 256
#define SYMBOLS_MAX 1000000u

struct request {
    struct xen_platform_op op;
    char name[NAME_BYTES];
};
_Static_assert(sizeof(struct request) <= HV_SYMBOLS_MEMORY, "fits what callers give");

int hv_symbols_read(struct symtab *t, hv_platform_op *call, void *ctx, void *memory)
{
    struct request *r = memory;

    for (uint32_t number = 0; number < SYMBOLS_MAX; number++) {
        struct xenpf_symdata *sym = &r->op.u.symdata;
        int rc;

        memset(r, 0, sizeof(*r));
        r->op.cmd = XENPF_get_symbol;
        r->op.interface_version = XENPF_INTERFACE_VERSION;
        sym->symnum = number;
        sym->namelen = NAME_BYTES;
        set_xen_guest_handle(sym->name, r->name);
        rc = call(ctx, &r->op);
        if (rc)
            return rc;
        if (!sym->namelen)
            break;
        r->name[NAME_BYTES - 1] = '\0';
        if (strchr("tTwW", sym->type) && !symtab_add(t, sym->address, 0, r->name, NULL, true))
            return -ENOMEM;
    }
    symtab_sort(t);
    return t->nr_code ? 0 : -ENODATA;
}
