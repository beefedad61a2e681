/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFECTS_TOLD 20u

BT_PLUGIN_MODULE();
BT_PLUGIN(radon);
BT_PLUGIN_DESCRIPTION("Traces of the Radon hypervisor");
BT_PLUGIN_LICENSE("MIT");

/* ------------------------------------------------------------------ one file */

struct telling {
    const char *path;
    uint64_t nr;
};

static void tell_defect(void *ctx, const struct trace_defect *defect)
{
    struct telling *t = ctx;

    if (t->nr++ < DEFECTS_TOLD)
        fprintf(stderr, "source.radon.trace: %s: offset %" PRIu64 ": %s (%" PRIu64
                        " bytes skipped)\n", t->path, defect->offset,
                trace_damage_text(defect->what), defect->skipped);
}

static bool set_environment(const struct input *in, const char *path)
{
    const struct file_index *index = &in->index;
    const struct trace_meta *meta = &index->meta;
    const char *base = strrchr(path, '/');

    if (bt_trace_set_name(in->trace, base ? base + 1 : path) ||
        bt_trace_set_environment_entry_string(in->trace, "domain", "radon") ||
        bt_trace_set_environment_entry_string(in->trace, "tracer_name", "radon"))
        return false;
    if (!index->has_meta)
        return true;
    return !bt_trace_set_environment_entry_string(in->trace, "hypervisor_revision",
                                                  meta->revision) &&
           !bt_trace_set_environment_entry_integer(in->trace, "lost_full",
                                                   (int64_t)meta->lost_full) &&
           !bt_trace_set_environment_entry_integer(in->trace, "lost_cpu",
                                                   (int64_t)meta->lost_cpu) &&
           !bt_trace_set_environment_entry_integer(in->trace, "lost_reader",
                                                   (int64_t)meta->lost_reader);
}

/* false: an error cause was appended. */
static bool open_input(struct input *in, bt_self_component *self, const char *path,
                       uint64_t tsc_hz)
{
    struct telling t = { path, 0 };
    int error = index_open(&in->index, path, tell_defect, &t);

    if (error) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(
            self, "%s: %s", path, error == ESPIPE ? "is no regular file" : strerror(error));
        return false;
    }
    if (t.nr)
        fprintf(stderr, "source.radon.trace: %s: %" PRIu64 " places could not be read, %" PRIu64
                        " bytes skipped\n", path, t.nr, in->index.skipped);
    if (!in->index.records) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(self, "%s: no records in it", path);
        return false;
    }
    if (!tsc_hz && !(in->index.has_meta && in->index.meta.tsc_hz))
        fprintf(stderr, "source.radon.trace: %s: the TSC's frequency is not known: times are as of "
                        "1 GHz (parameter tsc-hz)\n", path);
    if (!classes_make(self, &in->index, tsc_hz, &in->classes, &in->trace_class))
        return false;
    in->trace = bt_trace_create(in->trace_class);
    return in->trace && set_environment(in, path);
}

static void close_input(struct input *in)
{
    if (in->trace)
        bt_trace_put_ref(in->trace);
    if (in->classes.stream)
        bt_stream_class_put_ref(in->classes.stream);
    if (in->trace_class)
        bt_trace_class_put_ref(in->trace_class);
    index_close(&in->index);
}

/* ------------------------------------------------------------------ component */

static void source_free(struct source *s)
{
    for (uint64_t i = 0; i < s->nr_ports; i++)
        bt_stream_put_ref(s->ports[i].stream);
    for (uint64_t i = 0; i < s->nr_inputs; i++)
        close_input(&s->inputs[i]);
    free(s->ports);
    free(s->inputs);
    free(s);
}

static bool open_inputs(struct source *s, bt_self_component *self, const bt_value *paths,
                        uint64_t tsc_hz)
{
    uint64_t n = bt_value_array_get_length(paths), ports = 0;

    s->inputs = calloc(n, sizeof(*s->inputs));
    if (!s->inputs)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        const bt_value *path = bt_value_array_borrow_element_by_index_const(paths, i);

        s->nr_inputs++;
        s->inputs[i].index.fd = -1;
        if (!bt_value_is_string(path) ||
            !open_input(&s->inputs[i], self, bt_value_string_get(path), tsc_hz))
            return false;
        ports += s->inputs[i].index.nr_cpus;
    }
    s->ports = calloc(ports, sizeof(*s->ports));
    return s->ports;
}

static bool add_ports(struct source *s, bt_self_component_source *self)
{
    char name[32];

    for (uint64_t i = 0; i < s->nr_inputs; i++)
        for (unsigned int c = 0; c < s->inputs[i].index.nr_cpus; c++) {
            struct input *in = &s->inputs[i];
            struct port *p = &s->ports[s->nr_ports];

            p->input = in;
            p->cpu = &in->index.cpus[c];
            p->stream = bt_stream_create_with_id(in->classes.stream, in->trace, p->cpu->cpu);
            if (!p->stream)
                return false;
            s->nr_ports++;
            snprintf(name, sizeof(name), "cpu%u", p->cpu->cpu);
            if (bt_stream_set_name(p->stream, name))
                return false;
            snprintf(name, sizeof(name), "file%" PRIu64 "-cpu%u", i, p->cpu->cpu);
            if (bt_self_component_source_add_output_port(self, name, p, NULL))
                return false;
        }
    return true;
}

static const bt_value *entry(const bt_value *params, const char *key)
{
    return bt_value_map_borrow_entry_value_const(params, key);
}

static bool number(const bt_value *v, uint64_t *n)
{
    if (!v)
        return true;
    if (bt_value_is_unsigned_integer(v))
        *n = bt_value_integer_unsigned_get(v);
    else if (bt_value_is_signed_integer(v) && bt_value_integer_signed_get(v) > 0)
        *n = (uint64_t)bt_value_integer_signed_get(v);
    else
        return false;
    return true;
}

static bt_component_class_initialize_method_status
source_init(bt_self_component_source *self_source, bt_self_component_source_configuration *config,
            const bt_value *params, void *data)
{
    bt_self_component *self = bt_self_component_source_as_self_component(self_source);
    const bt_value *paths = entry(params, "inputs");
    struct source *s;
    uint64_t tsc_hz = 0;

    (void)config;
    (void)data;
    if (!paths || !bt_value_is_array(paths) || bt_value_array_is_empty(paths) ||
        !number(entry(params, "tsc-hz"), &tsc_hz)) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(
            self, "parameters: inputs=[\"FILE\", ...] and, if wanted, tsc-hz=NUMBER");
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    s = calloc(1, sizeof(*s));
    if (!s)
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
    if (!open_inputs(s, self, paths, tsc_hz) || !add_ports(s, self_source)) {
        source_free(s);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    bt_self_component_set_data(self, s);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static void source_finalize(bt_self_component_source *self)
{
    source_free(bt_self_component_get_data(bt_self_component_source_as_self_component(self)));
}

/* ------------------------------------------------------------------ is a file one of ours? */

/* How sure that the file is a recording, from its first word. */
static double weight_of(const char *path)
{
    uint32_t head = 0;
    double weight = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return 0;
    if (read(fd, &head, sizeof(head)) == sizeof(head)) {
        if (head == TRACE_META_HEAD)
            weight = 0.9;
        else if (head == (TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT))
            weight = 0.7;
    }
    close(fd);
    return weight;
}

static bt_component_class_query_method_status
source_query(bt_self_component_class_source *self, bt_private_query_executor *executor,
             const char *object, const bt_value *params, void *data, const bt_value **result)
{
    const bt_value *type, *input;
    double weight = 0;

    (void)self;
    (void)executor;
    (void)data;
    if (strcmp(object, "babeltrace.support-info"))
        return BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_UNKNOWN_OBJECT;
    type = entry(params, "type");
    input = entry(params, "input");
    if (type && input && bt_value_is_string(type) && bt_value_is_string(input) &&
        !strcmp(bt_value_string_get(type), "file"))
        weight = weight_of(bt_value_string_get(input));
    *result = bt_value_real_create_init(weight);
    return *result ? BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_OK
                   : BT_COMPONENT_CLASS_QUERY_METHOD_STATUS_MEMORY_ERROR;
}

BT_PLUGIN_SOURCE_COMPONENT_CLASS(trace, iterator_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_DESCRIPTION(trace, "Recordings of radon-trace and xentrace");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_HELP(trace,
                                      "Parameters: inputs=[\"FILE\", ...]; tsc-hz=NUMBER, for "
                                      "recordings that do not say it. See docs/babeltrace.md.");
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD(trace, source_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD(trace, source_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_QUERY_METHOD(trace, source_query);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(trace, iterator_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(trace, iterator_finalize);
