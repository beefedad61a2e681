/* SPDX-License-Identifier: MIT */
/*
 * source.radon.trace, a babeltrace2 source component class: recordings of xentrace and radon-trace.
 *
 * A recording becomes a trace with one stream per CPU and an output port for each; babeltrace2 merges
 * them by time.  When a component is made, its files are read once by the reader, which finds what
 * is damaged; each port then reads its own CPU's places (index.c), as records (iterator.c) of the
 * event classes that come from the catalogue (classes.c).
 */
#ifndef TRACING_BABELTRACE_SOURCE_H
#define TRACING_BABELTRACE_SOURCE_H

#include <babeltrace2/babeltrace.h>

#include "../reader/catalogue.h"

/* ------------------------------------------------------------------ where the records are */

struct segment {
    uint64_t offset, bytes;     /* of whole records in the file */
};

struct cpu_index {
    unsigned int cpu;
    struct segment *segments;
    size_t nr, room;
};

struct file_index {
    int fd;
    struct cpu_index *cpus;     /* those that have records, in the order of the file */
    unsigned int nr_cpus;
    uint64_t records, defects, skipped;
    bool has_meta;
    struct trace_meta meta;     /* the last header */
};

/* Called for each place that cannot be read. */
typedef void index_defect_fn(void *ctx, const struct trace_defect *defect);

/* Read the file through; 0 or an errno.  ESPIPE: a FIFO. */
int index_open(struct file_index *index, const char *path, index_defect_fn *told, void *ctx);
void index_close(struct file_index *index);

/* One CPU's records as a recording of that CPU alone, for a reader: ctx of segments_read. */
struct segments_at {
    const struct file_index *file;
    const struct cpu_index *cpu;
    size_t segment;             /* which */
    uint64_t given;             /* bytes of it, its head included */
};
trace_read_fn segments_read;

/* ------------------------------------------------------------------ classes */

struct classes {
    uint64_t tsc_hz;                    /* of the clock class */
    bt_stream_class *stream;
    bt_event_class *event[TRACE_ROWS];  /* NULL: no record has that row */
};

/*
 * Make trace class and stream class, with an event class for each row; false when out of memory.  The
 * caller puts *trace and *stream.
 */
bool classes_make(bt_self_component *self, const struct file_index *index, uint64_t tsc_hz,
                  struct classes *c, bt_trace_class **trace);
/* Set the fields of an event of that row. */
bool classes_fill(const struct trace_record *rec, unsigned int row, bt_event *event);

/* ------------------------------------------------------------------ component */

struct input {
    struct file_index index;
    struct classes classes;
    bt_trace_class *trace_class;
    bt_trace *trace;
};

/* What an output port is about. */
struct port {
    struct input *input;
    const struct cpu_index *cpu;
    bt_stream *stream;
};

struct source {
    struct input *inputs;
    struct port *ports;
    uint64_t nr_inputs, nr_ports;
};

bt_message_iterator_class_next_method_status
iterator_next(bt_self_message_iterator *self, bt_message_array_const messages, uint64_t capacity,
              uint64_t *count);
bt_message_iterator_class_initialize_method_status
iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *config,
              bt_self_component_port_output *port);
void iterator_finalize(bt_self_message_iterator *self);

#endif
