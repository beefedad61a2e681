/* SPDX-License-Identifier: MIT */
#ifndef RADON_INIT_H
#define RADON_INIT_H

#include <stdbool.h>

/*
 * What the host left in the initramfs, each file a list of strings that end in NUL:
 *   /radon/argv     the command and its arguments; absent or empty: an interactive shell
 *   /radon/env      NAME=VALUE
 *   /radon/modules  paths of kernel modules in the order of loading
 *   /radon/disk     present: wait for the disk
 *   /radon/net      present: give the first Ethernet device its address
 *   /radon/root     device whose file system becomes the root directory; then also the trees
 *                   /radon/libraries and /radon/overlay, copied into it: the first only where
 *                   there is no such file yet
 *   /radon/get      paths of files that the host wants when the command has ended
 */
#define RADON_DIR "/radon"

/* Mount what a Linux program expects, name the host, bring up lo, load modules. Complaints go to
 * the console fd as notes; none of them stops the boot. */
void setup_system(int console);

/* Make the ext4 file system of that device the root directory, with the mounts of setup_system().
 * False, with a note, when it cannot be done: the initramfs is then still the root. */
bool enter_root(int console, const char *device);

/* Send these files to the host (files.c). */
void send_files(int console, char **paths);

/* Run argv with the two output streams relayed to the console in frames; returns its exit status
 * as a shell would give it (128 + signal; 126, 127 when it cannot be run). */
int run_relayed(int console, char **argv, char **envp);

/* Run argv on the console itself, as the leader of its session; same return value. */
int run_interactive(int console, char **argv, char **envp);

/* A list file as a NULL-terminated vector; an empty vector if there is no such file. Never freed.
 */
char **read_list(const char *path);

#endif
