/* SPDX-License-Identifier: MIT */
/* radon-btf: a header for handlers in C with the offsets of a kernel (docs/handlers-tutorial.md). */
#include "btf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/revision.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };
#define OWN_KERNEL "/sys/kernel/btf/vmlinux"
#define FILE_MOST (512u << 20)

static const char usage[] =
    "usage: radon-btf [--from FILE] NAME...\n"
    "       radon-btf [--from FILE] --list LIST\n"
    "\n"
    "Print where members of the kernel's structures lie, as a header for handlers in C.\n"
    "\n"
    "options:\n"
    "  --from FILE   BTF, or an ELF file with it (default: " OWN_KERNEL ", this kernel's)\n"
    "  --list LIST   names from a file, one a line; # begins a comment\n"
    "  --help        this text\n"
    "  --version     the revision\n"
    "\n"
    "NAME: STRUCTURE.MEMBER[.MEMBER...], percpu.VARIABLE[.MEMBER...], or STRUCTURE for its size.\n"
    "Status: 0 done, 1 failed, 2 wrong use.\n"
    "\n"
    "example:\n"
    "  radon-btf task_struct.real_parent percpu.current_task\n"
    "    #define task_struct__real_parent 0x4f8 /* 8 bytes */\n";

static int fail(int status, const char *what, const char *which)
{
    fprintf(stderr, "radon-btf: %s%s%s\n", which, *which ? ": " : "", what);
    return status;
}

/* Files below /sys have no size: read until there is no more. */
static uint8_t *whole_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t room = 1 << 20;
    uint8_t *at = fd < 0 ? NULL : malloc(room), *more;
    ssize_t got = 1;

    *size = 0;
    while (at && (got = read(fd, at + *size, room - *size)) > 0) {
        *size += (size_t)got;
        if (*size < room)
            continue;
        more = room < FILE_MOST ? realloc(at, 2 * room) : NULL;
        if (!more) {
            got = -1;
            errno = EFBIG;
            break;
        }
        at = more;
        room *= 2;
    }
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        free(at);
        at = NULL;
    }
    return at;
}

static bool print_one(const struct btf *b, const char *path)
{
    struct btf_place place;
    char error[256];

    if (!btf_find(b, path, &place, error, sizeof(error)))
        return !fail(EXIT_FAILED, error, "");
    if (place.bits)
        return !fail(EXIT_FAILED, "a bit field", path);
    if (!strchr(path, '.')) {
        printf("#define sizeof__%s %" PRIu64 "\n", path, place.bytes);
        return true;
    }
    printf("#define ");
    for (const char *s = path; *s; s++)
        printf(*s == '.' ? "__" : "%c", *s);
    printf(" 0x%" PRIx64 " /* %" PRIu64 " bytes */\n", place.offset, place.bytes);
    return true;
}

static bool print_list(const struct btf *b, const char *list)
{
    FILE *f = fopen(list, "re");
    char line[256];
    bool ok = f != NULL;

    if (!f)
        return !fail(EXIT_FAILED, strerror(errno), list);
    while (ok && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "# \t\r\n")] = 0;
        ok = !*line || print_one(b, line);
    }
    fclose(f);
    return ok;
}

static int run(const char *from, const char *list, char **name, unsigned int names)
{
    size_t size;
    uint8_t *file = whole_file(from, &size);
    char error[256];
    struct btf b;
    bool ok = true;

    if (!file)
        return fail(EXIT_FAILED, strerror(errno), from);
    if (!btf_open(&b, file, size, error, sizeof(error))) {
        free(file);
        return fail(EXIT_FAILED, error, from);
    }
    printf("/* Of one kernel, made by radon-btf; handlers with it are for that kernel alone. */\n");
    if (list)
        ok = print_list(&b, list);
    for (unsigned int i = 0; ok && i < names; i++)
        ok = print_one(&b, name[i]);
    btf_close(&b);
    free(file);
    return ok && !fflush(stdout) ? 0 : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *from = OWN_KERNEL, *list = NULL;
    int i;

    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return fputs(usage, stdout) < 0 || fflush(stdout);
        if (!strcmp(argv[i], "--version"))
            return printf("radon-btf %s\n", RADON_REVISION) < 0 || fflush(stdout);
        if (strcmp(argv[i], "--from") && strcmp(argv[i], "--list"))
            return fail(EXIT_USAGE, "no such option; radon-btf --help", argv[i]);
        if (i + 1 == argc)
            return fail(EXIT_USAGE, "a value is missing", argv[i]);
        if (!strcmp(argv[i], "--from"))
            from = argv[++i];
        else
            list = argv[++i];
    }
    if (i == argc && !list)
        return fail(EXIT_USAGE, "which members? radon-btf --help", "");
    return run(from, list, argv + i, (unsigned int)(argc - i));
}
