/* SPDX-License-Identifier: MIT */
#include "unpack.h"

const char *unpack_format_name(enum unpack_format format)
{
    switch (format) {
    case UNPACK_FORMAT_UNKNOWN:
        break;
    case UNPACK_FORMAT_STORED:
        return "stored";
    case UNPACK_FORMAT_GZIP:
        return "gzip";
    case UNPACK_FORMAT_XZ:
        return "xz";
    case UNPACK_FORMAT_LZMA:
        return "lzma";
    case UNPACK_FORMAT_LZ4:
        return "lz4";
    case UNPACK_FORMAT_ZSTD:
        return "zstd";
    case UNPACK_FORMAT_BZIP2:
        return "bzip2";
    case UNPACK_FORMAT_LZO:
        return "lzo";
    }
    return "unknown";
}

const char *unpack_status_text(enum unpack_status status)
{
    switch (status) {
    case UNPACK_OK:
        return "kernel: unpacked";
    case UNPACK_UNKNOWN:
        return "kernel: payload is in no known compression format";
    case UNPACK_UNSUPPORTED:
        return "kernel: bzip2 and LZO payloads are not supported (gzip, xz, lzma, lz4 and zstd "
               "are)";
    case UNPACK_CORRUPT:
        return "kernel: payload is damaged or cut short";
    case UNPACK_TRUNCATED:
        return "kernel: payload ends too early";
    case UNPACK_TRAILING:
        return "kernel: foreign bytes after the payload";
    case UNPACK_WRONG_SIZE:
        return "kernel: payload unpacks to another length than it states";
    case UNPACK_TOO_BIG:
        return "kernel: payload unpacks to more than there is room for";
    case UNPACK_NO_SCRATCH:
        return "kernel: not enough working memory to unpack the payload";
    }
    return "kernel: unknown unpacking error";
}
