#!/bin/sh
# SPDX-License-Identifier: MIT
# mksyscalls.sh CC FILE: SYSCALL(number, name) of each system call of x86-64, from the compiler's headers.
set -e
echo '#include <asm/unistd_64.h>' | "$1" -E -dM - |
    sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/SYSCALL(\2, \1)/p' | sort > "$2.new"
grep -q 'SYSCALL(39, getpid)' "$2.new"
mv "$2.new" "$2"
