/* SPDX-License-Identifier: MIT */
/* What the hypervisor records of handlers, by its flight recorder. */
#ifndef TEST_FAST_EVENTS_H
#define TEST_FAST_EVENTS_H

#include <stdint.h>

enum event {
#define EVENT(name, id, fields, text) EV_##name,
#define EVENT_VAR(name, id, text) EV_##name,
#include "../../../tracing/events.def"
    NR_EVENTS
};

#define EVENTS_MOST 64u

/* The records of the last recording. */
extern struct seen_event {
    enum event event;
    uint32_t words[7];
} seen[EVENTS_MOST];
extern unsigned int nr_seen;

/* Record these n events from now on, up to events_end(), which has them in `seen`. */
void events_begin(const enum event *events, unsigned int n);
void events_end(void);
/* Record i is of that event, and n of its words are these. */
void check_record(unsigned int i, enum event event, const uint32_t *words, unsigned int n);

#define CHECK_RECORD(i, event, ...)                                                                \
    do {                                                                                           \
        const uint32_t words_[] = { __VA_ARGS__ };                                                 \
        check_record(i, event, words_, sizeof(words_) / 4);                                        \
    } while (0)

#endif
