/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum {
    HEADER_LEN = 2 + 8 + 1 + 4 + 1,
    TRAILER_LEN = 1 + 8 + 1 + 1,
    BASE64_MAX = (FRAME_PAYLOAD_MAX + 2) / 3 * 4,
};

static uint32_t crc_table[256];
static uint32_t next_sequence;

static void crc_init(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;

        for (int k = 0; k < 8; k++)
            c = (c & 1) ? 0xedb88320u ^ (c >> 1) : c >> 1;
        crc_table[n] = c;
    }
}

static uint32_t crc32_of(const char *p, size_t len)
{
    uint32_t c = 0xffffffffu;

    for (size_t i = 0; i < len; i++)
        c = crc_table[(c ^ (uint8_t)p[i]) & 0xff] ^ (c >> 8);
    return c ^ 0xffffffffu;
}

static size_t base64(char *out, const uint8_t *in, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = out;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)in[i] << 16;

        v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        v |= left > 2 ? in[i + 2] : 0;
        *p++ = digits[v >> 18];
        *p++ = digits[(v >> 12) & 63];
        *p++ = left > 1 ? digits[(v >> 6) & 63] : '=';
        *p++ = left > 2 ? digits[v & 63] : '=';
    }
    return (size_t)(p - out);
}

static void write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);

        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = { .fd = fd, .events = POLLOUT };

            poll(&wait, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return; /* no console: nobody could be told */
        }
    }
}

static void send_one(int fd, enum frame_kind kind, const uint8_t *data, size_t len)
{
    char text[BASE64_MAX + 1], line[HEADER_LEN + BASE64_MAX + TRAILER_LEN + 1];
    size_t encoded = base64(text, data, len);
    int n;

    if (!crc_table[1])
        crc_init();
    text[encoded] = 0;
    n = snprintf(line, sizeof(line), "~R%08x%c%04zx:%s:", next_sequence++, kind, encoded, text);
    n += snprintf(line + n, sizeof(line) - (size_t)n, "%08x~\n", crc32_of(line + 2, (size_t)n - 2));
    write_all(fd, line, (size_t)n);
}

void frame_send(int fd, enum frame_kind kind, const void *data, size_t len)
{
    const uint8_t *p = data;

    do {
        size_t part = len < FRAME_PAYLOAD_MAX ? len : FRAME_PAYLOAD_MAX;

        send_one(fd, kind, p, part);
        p += part;
        len -= part;
    } while (len);
}

void frame_printf(int fd, enum frame_kind kind, const char *format, ...)
{
    char text[FRAME_PAYLOAD_MAX + 1];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if (n > FRAME_PAYLOAD_MAX)
        n = FRAME_PAYLOAD_MAX;
    frame_send(fd, kind, text, (size_t)n);
}
