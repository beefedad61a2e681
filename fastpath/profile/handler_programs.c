/* SPDX-License-Identifier: MIT */
/* radon-handler dump, verify, load, export: handlers as programs. */
#include "handler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "fastpath/core/verifier.h"
#include "handler_file.h"
#include "hv/revision.h"
#include "log.h"
#include "names.h"
#include "ops.h"

#define CODE_MOST (1u << 20)
#define PROGRAM_MOST (sizeof(struct fast_header) + FAST_MAX_INSNS * sizeof(struct fast_insn))

static bool is_number(const char *word)
{
    return *word && !word[strspn(word, "0123456789")];
}

/* The program of an installed handler. */
static bool fetch(const char *word, struct radon_fast_info *info, void **program, size_t *bytes)
{
    struct prof_backend *b = handler_backend();
    uint32_t id;
    int rc;

    if (!b || !handler_number(word, &id))
        return false;
    rc = hv_find(b, id, info);
    if (!rc)
        rc = hv_read(b, id, RADON_FAST_PROGRAM, PROGRAM_MOST, program, bytes);
    if (rc)
        handler_fail("handler %u: %s", id, hv_error(rc));
    return !rc;
}

/* ------------------------------------------------------------------ dump */

static int dump_one(const struct handler_options *o, const void *blob, size_t bytes,
                    const void *code, size_t code_bytes)
{
    struct fast_program program;
    enum fast_refusal_id refused = program_parse(blob, bytes, &program);
    bool ok;

    if (refused != FAST_OK)
        return handler_fail("no program: %s", refusal_text(refused)->reason);
    if (o->program)
        ok = handler_dump_program(stdout, &program);
    else
        ok = handler_dump(stdout, &program, code, code_bytes, 0);
    return ok && !fflush(stdout) ? EXIT_DONE : handler_fail("the output was not written");
}

static int dump_file(const struct handler_options *o, const char *path)
{
    struct handler_file f;
    char error[512];
    int status = EXIT_DONE, got = 1;

    for (unsigned int i = 0; got == 1 && status == EXIT_DONE; i++) {
        got = handler_file_read(path, i, &f, error, sizeof(error));
        if (got < 0)
            return handler_fail("%s", error);
        if (!got)
            return i ? status : handler_fail("%s: no handler in it", path);
        status = dump_one(o, f.program, f.program_bytes, NULL, 0);
        if (f.provenance && *f.provenance)
            printf("# provenance\n%s", f.provenance);
        handler_file_free(&f);
    }
    return status;
}

int handler_dump_command(const struct handler_options *o)
{
    struct radon_fast_info info;
    void *program, *code = NULL;
    size_t bytes, code_bytes = 0;
    int status;

    if (!is_number(o->word[0]))
        return dump_file(o, o->word[0]);
    if (!fetch(o->word[0], &info, &program, &bytes))
        return EXIT_FAILED;
    if (hv_read(handler_backend(), info.id, RADON_FAST_CODE, CODE_MOST, &code, &code_bytes))
        code = NULL;
    status = dump_one(o, program, bytes, code_bytes ? code : NULL, code_bytes);
    free(program);
    free(code);
    return status;
}

/* ------------------------------------------------------------------ verify */

static const struct table_column verify_columns[] = {
    { "file", "FILE", true },
    { "name", "NAME", true },
    { "point", "POINT", true },
    { "verdict", "VERDICT", true },
    { "category", NULL, true },
    { "reason", "REASON", true },
    { "instruction", NULL, false },
    { "instructions", "INSNS", false },
    { "max_cost", "COST", false },
    { "max_staged", "STORES", false },
    { "text", NULL, true },
};

/* One line of the table; true: accepted.  The long text of a refusal goes to standard error. */
static bool verify_one(struct table *t, const char *file, const void *blob, size_t bytes)
{
    static struct verify_space space;
    struct fast_verdict verdict = { .reg = FAST_NO_REG };
    struct fast_program program = { 0 };
    char text[OP_TEXT_BYTES], point_text[FAST_POINT_TEXT];
    const struct fast_refusal_text *why;
    struct fast_point point;
    bool parsed;

    verdict.id = program_parse(blob, bytes, &program);
    parsed = verdict.id == FAST_OK;
    if (parsed)
        fast_verify(&program, &space, &verdict);
    program.head.name[FAST_NAME_BYTES - 1] = 0;
    point = (struct fast_point){ 0, program.head.attach_kind, program.head.attach_number,
                                 program.head.attach_address };
    why = refusal_text(verdict.id);
    fast_verdict_text(&program, &verdict, text, sizeof(text));
    table_text(t, file);
    table_text(t, parsed ? program.head.name : NULL);
    table_text(t, parsed ? fast_point_text(&point, point_text) : NULL);
    table_text(t, verdict.id == FAST_OK ? "accepted" : "refused");
    table_text(t, verdict.id == FAST_OK ? "-" : why->category);
    table_text(t, verdict.id == FAST_OK ? "-" : why->name);
    if (verdict.id == FAST_OK || !parsed)
        table_unknown(t);
    else
        table_number(t, verdict.insn);
    table_number(t, program.head.insns);
    if (verdict.id == FAST_OK) {
        table_number(t, verdict.cost);
        table_number(t, verdict.staged);
    } else {
        table_unknown(t);
        table_unknown(t);
        fprintf(stderr, "%s%s%s: %s", file, parsed ? ": " : "", parsed ? program.head.name : "",
                text);
    }
    table_text(t, text);
    return verdict.id == FAST_OK;
}

static int verify_file(struct table *t, const char *path)
{
    struct handler_file f;
    char error[512];
    int status = EXIT_DONE, got = 1;

    for (unsigned int i = 0; got == 1; i++) {
        got = handler_file_read(path, i, &f, error, sizeof(error));
        if (got < 0)
            return handler_fail("%s", error);
        if (!got && !i)
            return handler_fail("%s: no handler in it", path);
        if (got && !verify_one(t, path, f.program, f.program_bytes))
            status = EXIT_REFUSED;
        if (got)
            handler_file_free(&f);
    }
    return status;
}

static int verify_installed(struct table *t, const char *word)
{
    struct radon_fast_info info;
    void *program;
    size_t bytes;
    int status;

    if (!fetch(word, &info, &program, &bytes))
        return EXIT_FAILED;
    status = verify_one(t, word, program, bytes) ? EXIT_DONE : EXIT_REFUSED;
    free(program);
    return status;
}

int handler_verify(const struct handler_options *o)
{
    struct table t;
    int status = EXIT_DONE;

    table_init(&t, o->format, "radon-handler-verify", verify_columns,
               sizeof(verify_columns) / sizeof(verify_columns[0]));
    for (unsigned int i = 0; i < o->words; i++) {
        int one = is_number(o->word[i]) && access(o->word[i], F_OK)
                      ? verify_installed(&t, o->word[i]) : verify_file(&t, o->word[i]);

        if (one == EXIT_FAILED || status == EXIT_DONE)
            status = one;
    }
    return table_print(&t, stdout, status != EXIT_FAILED, 0, NULL)
               ? status : handler_fail("standard output failed");
}

/* ------------------------------------------------------------------ load */

static uint64_t budget_cycles(const struct handler_options *o)
{
    struct prof_backend *b = handler_backend();
    struct radon_info info = { 0 };

    if (o->budget_us)
        b->op(b->ctx, RADON_INFO, &info, sizeof(info));
    return o->budget_us * (info.tsc_hz / 1000000);
}

static int load_one(const struct handler_options *o, uint16_t domain, const char *path,
                    const struct handler_file *f)
{
    static struct hv_install in;
    int rc;

    in = (struct hv_install){
        .domain = domain,
        .flags = f->flags | (o->now ? RADON_FAST_INSTALL_ACTIVE : 0),
        .agreements = o->now ? 0 : o->agreements,
        .budget = budget_cycles(o),
        .program = f->program,
        .program_bytes = (uint32_t)f->program_bytes,
        .watches = f->watches,
        .nr_watches = f->nr_watches,
        .tainted = f->tainted,
        .nr_tainted = f->nr_tainted,
    };
    if (f->program_bytes > PROGRAM_MOST)
        return handler_fail("%s: a handler has at most %u instructions", path, FAST_MAX_INSNS);
    rc = hv_install(handler_backend(), &in);
    if (!rc && in.refusal) {
        fprintf(stderr, "radon-handler: %s: %s", path, in.text);
        return EXIT_REFUSED;
    }
    if (rc == -EBUSY || rc == -EEXIST || rc == -ESTALE)
        return handler_fail("%s: a page of the guest kernel that it rests on is not as it was, or "
                            "somebody may write to it", path) ? EXIT_REFUSED : 0;
    if (rc)
        return handler_fail("%s: %s", path, hv_error(rc));
    printf("%u\n", in.id);
    return EXIT_DONE;
}

/* Every handler of the file is read before one is installed. */
int handler_load(const struct handler_options *o)
{
    struct handler_file f;
    char error[512];
    uint16_t domain;
    int status = EXIT_DONE;

    if (!handler_domain(o, 0, &domain))
        return EXIT_FAILED;
    for (unsigned int w = 0; w < o->words && status == EXIT_DONE; w++) {
        for (unsigned int i = 0; status == EXIT_DONE; i++) {
            int got = handler_file_read(o->word[w], i, &f, error, sizeof(error));

            if (got < 0)
                return handler_fail("%s", error);
            if (!got && !i)
                return handler_fail("%s: no handler in it", o->word[w]);
            if (!got)
                break;
            status = load_one(o, domain, o->word[w], &f);
            handler_file_free(&f);
        }
    }
    return fflush(stdout) ? handler_fail("standard output failed") : status;
}

/* ------------------------------------------------------------------ export */

/* What the daemon kept of it, if that is the same program. */
static void add_kept(struct handler_file *f, uint32_t id)
{
    char path[128], error[512];
    struct handler_file kept;

    snprintf(path, sizeof(path), PROF_FOLDER "/handlers/%u.o", id);
    if (handler_file_read(path, 0, &kept, error, sizeof(error)) != 1)
        return;
    if (kept.program_bytes == f->program_bytes &&
        !memcmp(kept.program, f->program, f->program_bytes)) {
        free(f->program);
        *f = kept;
        return;
    }
    handler_file_free(&kept);
}

static void add_provenance(struct handler_file *f, const struct radon_fast_info *i)
{
    char text[512];

    if (f->provenance)
        return;
    snprintf(text, sizeof(text),
             "made_by: hand\nexported_by: radon-handler %s\nhandler: %u\nhash: %016" PRIx64 "\n",
             RADON_REVISION, i->id, i->hash);
    f->provenance = strdup(text);
}

int handler_export(const struct handler_options *o)
{
    struct handler_file f = { 0 };
    struct radon_fast_info info;
    char error[512];
    bool ok;

    if (!o->output)
        return handler_misuse("export: where to? -o FILE");
    if (!fetch(o->word[0], &info, &f.program, &f.program_bytes))
        return EXIT_FAILED;
    add_kept(&f, info.id);
    add_provenance(&f, &info);
    ok = handler_file_write(o->output, &f, error, sizeof(error));
    handler_file_free(&f);
    return ok ? EXIT_DONE : handler_fail("%s", error);
}
