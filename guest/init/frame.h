/* SPDX-License-Identifier: MIT */
/*
 * Frames: how /init sends a command's output over a console that it shares with the kernel and the
 * hypervisor. One frame is one line of printable text:
 *
 *     ~R SSSSSSSS K LLLL : base64 : CCCCCCCC ~ newline        (without the spaces)
 *
 * S sequence number from 0, K kind, L number of base64 characters, C CRC-32 (the polynomial of
 * zlib) of everything from S to the second colon; numbers in hexadecimal. The reader is
 * guest/machine/frames.py: it finds frames between other messages, mends a frame that a message cut
 * in two, and notices one that is missing.
 */
#ifndef RADON_INIT_FRAME_H
#define RADON_INIT_FRAME_H

#include <stddef.h>

enum {
    FRAME_PAYLOAD_MAX = 510, /* bytes; 680 base64 characters */
};

enum frame_kind {
    FRAME_BEGIN = 'b',  /* the command starts: "uptime_ns tsc" in decimal */
    FRAME_STDOUT = 'o', /* bytes of its standard output */
    FRAME_STDERR = 'e', /* bytes of its standard error */
    FRAME_NOTE = 'n',   /* a message of /init itself for the person at the host */
    FRAME_EXIT = 'x',   /* exit status in decimal; the last frame */
};

/* Send len bytes to the console fd, in as many frames as it takes (one empty frame if len is 0). */
void frame_send(int fd, enum frame_kind kind, const void *data, size_t len);

/* Send a formatted text of at most one frame. */
void frame_printf(int fd, enum frame_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
