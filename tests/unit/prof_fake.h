/* SPDX-License-Identifier: MIT */
/* A hypervisor of a few lines for the daemon's tests: radon_op on tables that the test fills. */
#ifndef PROF_FAKE_H
#define PROF_FAKE_H

#include "fastpath/profile/prof.h"

#define FAKE_SITES 6000u
#define FAKE_HANDLERS 64u

struct fake {
    struct prof_backend backend;
    uint64_t ns;
    struct radon_site site[FAKE_SITES];
    unsigned int sites;
    struct radon_fast_info handler[FAKE_HANDLERS];
    uint64_t program[FAKE_HANDLERS][64];
    unsigned int handlers;
    uint32_t last_id;
    bool on;
    unsigned int vcpus;
    /* Captures: each occurrence ends so, after so many milliseconds. */
    enum radon_capture_end capture_end;
    unsigned int capture_ms;
    int capture_rc;
    struct radon_capture_start capture;
    uint64_t capture_at;
    unsigned int captures, stops;
    int install_rc;
    uint32_t refusal;     /* of the verifier, for the next installation */
    unsigned int installs;
};

void fake_begin(struct fake *f);
/* Adds entries to the row of a system call: samples, each of so many cycles (1 ns). */
void fake_entries(struct fake *f, uint32_t number, uint64_t samples, uint64_t cycles);
struct radon_fast_info *fake_handler(struct fake *f, uint32_t id);
struct radon_fast_info *fake_add_handler(struct fake *f, uint32_t kind, uint32_t number);

#endif
