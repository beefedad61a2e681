/* SPDX-License-Identifier: MIT */
/* What a benchmark row sees: its parameters, and the clock that takes its samples. */
#ifndef RADON_BENCH_H
#define RADON_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum unit { UNIT_NS, UNIT_MBS };
enum kind { KIND_LATENCY, KIND_BANDWIDTH, KIND_COMPUTE };

enum { MAX_ROWS = 64, MAX_SAMPLES = 256, MAX_EVENTS = 4, ERROR_LEN = 200 };

struct bench;

/* One line of rows.def. */
struct row {
    const char *id, *title, *artefact, *paper_row;
    enum unit unit;
    enum kind kind;
    unsigned calls;
    void (*run)(struct bench *b);
    unsigned p1, p2;
    unsigned samples, ops;
    const char *help;
};

extern const struct row rows[];
extern const size_t row_count;

/* Event count of a row, or why there is none. */
struct event_count {
    bool known;
    uint64_t count;
};

/* What a row's process leaves in shared memory for the parent. */
struct result {
    unsigned taken;                /* samples recorded */
    uint64_t ops;                  /* operations (bytes) in each sample */
    int64_t ns[MAX_SAMPLES];       /* time of the sample, clock reads taken off */
    int64_t overhead[MAX_SAMPLES]; /* to be subtracted: see bench_overhead */
    bool has_overhead;
    bool counted; /* events[] is filled in */
    struct event_count events[MAX_EVENTS];
    uint64_t event_ops;    /* operations during which they were counted */
    char error[ERROR_LEN]; /* "" or why the row failed */
};

struct settings {
    const char *dir;  /* where files are made */
    const char *tiny; /* the program that exec and sh run */
    unsigned samples; /* 0: as rows.def says */
    double scale;     /* factor on the operations of a sample */
    bool events;
    unsigned settle_ms;
    unsigned warm_ms;   /* warm-up samples until so much time is over */
    unsigned timeout_s; /* for one row */
};

struct bench {
    const struct row *row;
    const struct settings *set;
    struct result *out;
    uint64_t ops;     /* operations the row is to do in a sample */
    unsigned samples; /* to be recorded */
    unsigned warmup;  /* to be done before */
    uint64_t warm_until; /* the last of them is repeated until then */
    unsigned done;    /* samples finished, warm-up included */
    bool counting;    /* this is the run that counts events, not the timed one */
    int64_t clock_cost;
    uint64_t tick_ns, tick_at; /* the kernel's timer tick: its period, one of them; 0: not known */
    uint64_t begin;
};

static inline uint64_t ns_of(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return ns_of(&t);
}

/* Where the timer tick is, so that samples keep clear of it. */
void bench_find_tick(struct bench *b);

/* True while another sample is to be taken. A row is a loop over this. */
bool bench_more(const struct bench *b);

/* Start the clock of a sample. What the row prepares for each sample comes before. */
void bench_start(struct bench *b);

/* Stop the clock: `ops` operations were done since bench_start. Safe in a signal handler. */
void bench_stop(struct bench *b, uint64_t ops);

/* The sample just stopped contains `ns` that are not the row's: to be subtracted. */
void bench_overhead(struct bench *b, int64_t ns);

/* The clock of what is to be subtracted: begun as a sample is, and read as its is. */
uint64_t bench_begin(const struct bench *b);
int64_t bench_since(const struct bench *b, uint64_t begin);

/* End the row's process, telling the parent why. Any process of the row may call it. */
_Noreturn void bench_fail(struct bench *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The cost in ns of one clock read, to be taken off every sample. */
int64_t bench_clock_cost(void);

/* Software events (counters.c). Opened before the row makes processes, they count those too. */
extern const char *const event_names[MAX_EVENTS];
void counters_open(void);
void counters_start(void);
void counters_stop(struct result *out, uint64_t ops);

/* A bare machine (machine.c): a tmpfs to make files on, the loopback interface, a seed. */
void machine_prepare(const struct settings *set);

/* Whether the kernel's random numbers are what they are on a machine that has booted. */
bool machine_is_seeded(void);

/* Bring the loopback interface up if it is down and we may; false with errno when it stays down. */
bool net_loopback_up(void);

/* A connected pair of TCP sockets over 127.0.0.1. */
void net_tcp_pair(struct bench *b, int fd[2]);

/* Fork; in the child the caller's next statements run. Fails the row when it cannot. */
int bench_fork(struct bench *b);

/* Whole reads and writes. False on error or end of file. */
bool read_all(int fd, void *buf, size_t len);
bool write_all(int fd, const void *buf, size_t len);

#define ROW(id, title, art, prow, unit, kind, calls, fn, p1, p2, samples, ops, help)               \
    void fn(struct bench *b);
#include "../rows.def"
#undef ROW

#endif
