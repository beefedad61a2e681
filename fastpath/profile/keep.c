/* SPDX-License-Identifier: MIT */
/*
 * What is kept of handlers in the daemon's folder:
 *   handlers/ID.o       the handler as radon-handler loads it, with provenance and explanation
 *   evidence/ID.txt     of a handler that disagreed: what it would have done, what the guest did
 *   evidence/ID-N.cap   the captures that it was made of: radon-synth makes it again
 *   refused/POINT.txt   how far synthesis came with an entry that it refused
 * A file that cannot be written is a message, nothing more.
 */
#include "prof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "handler_file.h"
#include "hv/revision.h"
#include "ops.h"

#define PATH 512

static char *provenance(const struct prof *p, const struct candidate *c,
                        const struct synth_output *out)
{
    char point[FAST_POINT_TEXT], *text = NULL;
    struct utsname host = { 0 };
    time_t now = time(NULL);
    struct tm utc;
    char date[32] = "unknown";

    if (gmtime_r(&now, &utc))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    uname(&host);
    if (asprintf(&text,
                 "made_by: radon-prof %s\ndate: %s\ndomain: %u\nkernel: %s %s\npoint: %s\n"
                 "captures: %u\npaths: %u of %u\ninstructions: %u\nguards: %u\nloads: %u\n"
                 "stores: %u\npages: %u\nagreements: %u\n",
                 RADON_REVISION, date, p->domain, p->domain ? "unknown" : host.release,
                 p->domain ? "unknown" : host.version, fast_point_text(&c->point, point),
                 c->rounds, out->paths, out->paths + out->paths_left_out, out->insns, out->guards,
                 out->loads, out->stores, out->nr_watches, p->policy.agreements) < 0)
        return NULL;
    return text;
}

void keep_handler(const struct prof *p, const struct candidate *c, const struct synth_output *out)
{
    struct handler_file f = {
        .program = out->program,
        .program_bytes = out->program_bytes,
        .watches = out->watches,
        .nr_watches = out->nr_watches,
        .tainted = out->tainted,
        .nr_tainted = out->nr_tainted,
        .flags = out->flags,
        .explanation = out->explanation,
    };
    char path[PATH], error[PATH + 128];

    if (!p->folder)
        return;
    f.provenance = provenance(p, c, out);
    snprintf(path, sizeof(path), "%s/handlers/%u.o", p->folder, c->handler);
    if (!handler_file_write(path, &f, error, sizeof(error)))
        fprintf(stderr, "radon-prof: %s\n", error);
    free(f.provenance);
}

bool keep_is_ours(const struct prof *p, const struct radon_fast_info *info)
{
    struct handler_file f;
    char path[PATH], error[PATH + 128];
    uint64_t hash = RADON_FAST_HASH_START;
    bool ours = false;

    if (!p->folder)
        return false;
    snprintf(path, sizeof(path), "%s/handlers/%u.o", p->folder, info->id);
    if (handler_file_read(path, 0, &f, error, sizeof(error)) != 1)
        return false;
    for (size_t i = 0; i < f.program_bytes; i++)
        hash = (hash ^ ((const uint8_t *)f.program)[i]) * RADON_FAST_HASH_PRIME;
    ours = hash == info->hash && f.provenance && !strncmp(f.provenance, "made_by: radon-prof", 19);
    handler_file_free(&f);
    return ours;
}

/* A file in the folder; NULL: a message was printed. */
static FILE *new_file(const struct prof *p, const char *name)
{
    char path[PATH];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    f = fopen(path, "we");
    if (!f)
        fprintf(stderr, "radon-prof: %s: %s\n", path, strerror(errno));
    return f;
}

void keep_refusal(const struct prof *p, const struct candidate *c, const char *text)
{
    char name[FAST_POINT_TEXT + 16] = "refused/", point[FAST_POINT_TEXT];
    FILE *f;

    if (!p->folder || !text)
        return;
    snprintf(name, sizeof(name), "refused/%s.txt", fast_point_text(&c->point, point));
    f = new_file(p, name);
    if (!f)
        return;
    fputs(text, f);
    fclose(f);
}

static void write_evidence(FILE *f, const struct radon_fast_evidence *e)
{
    const char *other = e->engines ? "interpreter" : "guest";

    for (unsigned int r = 0; r < 20; r++)
        fprintf(f, "%-8s before %016" PRIx64 " handler %016" PRIx64 " %s %016" PRIx64 "%s\n",
                register_name(r), e->before[r], e->handler[r], other, e->guest[r],
                e->differs >> r & 1 ? "  differs" : "");
    for (unsigned int s = 0; s < e->nr_stores && s < RADON_FAST_EVIDENCE_STORES; s++)
        fprintf(f, "store    %016" PRIx64 " %u bytes, handler %016" PRIx64 " %s %016" PRIx64 "%s\n",
                e->store[s].address, e->store[s].size, e->store[s].handler, other, e->store[s].guest,
                e->store[s].differs ? "  differs" : "");
    for (unsigned int i = 0; i < RADON_FAST_EVIDENCE_READS && e->read[i].size; i++)
        fprintf(f, "read     %016" PRIx64 " %u bytes, handler %016" PRIx64 " %s %016" PRIx64 "  differs\n",
                e->read[i].address, (unsigned int)e->read[i].size, e->read[i].handler, other,
                e->read[i].guest);
}

static void write_captures(const struct prof *p, const struct candidate *c, uint32_t id)
{
    char name[64];
    FILE *f;

    for (unsigned int i = 0; i < c->rounds; i++) {
        snprintf(name, sizeof(name), "evidence/%u-%u.cap", id, i);
        f = new_file(p, name);
        if (!f)
            return;
        if (fwrite(c->blob[i], 1, c->blob_bytes[i], f) != c->blob_bytes[i])
            fprintf(stderr, "radon-prof: %s: %s\n", name, strerror(errno));
        fclose(f);
    }
}

void keep_evidence(const struct prof *p, const struct candidate *c, const struct radon_fast_info *info)
{
    void *part = NULL;
    size_t bytes;
    char name[64];
    FILE *f;

    if (!p->folder || hv_read(p->backend, info->id, RADON_FAST_EVIDENCE,
                              sizeof(struct radon_fast_evidence), &part, &bytes))
        return;
    snprintf(name, sizeof(name), "evidence/%u.txt", info->id);
    f = bytes == sizeof(struct radon_fast_evidence) ? new_file(p, name) : NULL;
    if (f) {
        write_evidence(f, part);
        fclose(f);
        write_captures(p, c, info->id);
    }
    free(part);
}
