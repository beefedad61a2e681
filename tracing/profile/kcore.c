/* SPDX-License-Identifier: MIT */
#include "kcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_at(int fd, void *to, size_t n, uint64_t offset)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = pread(fd, (char *)to + got, n - got, (off_t)(offset + got));

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        got += (size_t)r;
    }
    return true;
}

static int read_segments(struct kcore *k)
{
    Elf64_Ehdr eh;

    if (!read_at(k->fd, &eh, sizeof(eh), 0) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
        eh.e_phentsize != sizeof(Elf64_Phdr))
        return -ENOEXEC;
    k->segment = calloc(eh.e_phnum + 1u, sizeof(*k->segment));
    if (!k->segment)
        return -ENOMEM;
    for (unsigned int i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph;

        if (!read_at(k->fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)))
            return -ENOEXEC;
        if (ph.p_type == PT_LOAD)
            k->segment[k->nr++] = (struct kcore_segment){ ph.p_vaddr, ph.p_memsz, ph.p_offset };
    }
    return 0;
}

int kcore_open(struct kcore *k, const char *file)
{
    int rc;

    *k = (struct kcore){ .fd = open(file, O_RDONLY | O_CLOEXEC) };
    if (k->fd < 0)
        return -errno;
    rc = read_segments(k);
    if (rc)
        kcore_close(k);
    return rc;
}

void kcore_close(struct kcore *k)
{
    if (k->fd >= 0)
        close(k->fd);
    free(k->segment);
    *k = (struct kcore){ .fd = -1 };
}

bool kcore_read(const struct kcore *k, uint64_t address, void *to, size_t n)
{
    for (size_t i = 0; i < k->nr; i++) {
        const struct kcore_segment *s = &k->segment[i];
        uint64_t at = address - s->address;

        if (address >= s->address && at < s->bytes && n <= s->bytes - at)
            return read_at(k->fd, to, n, s->offset + at);
    }
    return false;
}
