/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer without libFuzzer: what the stage `unit` runs of each (tests/unit/fuzz.cmake).
 *
 *   unit_fuzz_NAME          each input of tests/fuzz/NAME.corpus (pack.py), then FUZZ_RUNS inputs that are made
 *                           from those, always the same ones
 *   unit_fuzz_NAME FILE...  those inputs alone
 *
 * An input that a target does not survive, or takes more than LONGEST seconds of CPU for, is left in
 * unit_fuzz_NAME.input, where the program is.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/time.h>
#include <unistd.h>

#define CORPUS "tests/fuzz/" FUZZ_NAME ".corpus"
#define LONGEST 20u
#define MOST_BYTES 65535u /* of an input: its length in the corpus has 16 bits */
#define CHANGES 6u        /* of one input, at most */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may say whether its runs meant anything: of so many inputs, kept ones and made ones. */
int fuzz_meant_something(unsigned long kept, unsigned long made) __attribute__((weak));

struct input {
    const uint8_t *data;
    size_t size;
};

static char left_in[4096];
static const uint8_t *running;
static size_t running_size;

/* ------------------------------------------------------------------ a run */

/* The last thing that this program does: no stdio, no heap. */
static void keep_input(void)
{
    static const char say[] = "the input is left in ";
    int fd = running ? open(left_in, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;

    if (fd < 0 || write(fd, running, running_size) != (ssize_t)running_size)
        return;
    if (write(2, say, sizeof(say) - 1) < 0 || write(2, left_in, strlen(left_in)) < 0 || write(2, "\n", 1) < 0)
        return;
}

static void on_signal(int number)
{
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* the sanitizer watches its end */

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    running = copy;
    running_size = size;
    setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = LONGEST }, NULL);
    LLVMFuzzerTestOneInput(copy, size);
    running = NULL;
    free(copy);
}

/* ------------------------------------------------------------------ inputs that are made */

static uint64_t random_state = 0x9e3779b97f4a7c15;

/* xorshift64* (Vigna 2016). */
static uint32_t draw(uint32_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(((random_state * 0x2545f4914f6cdd1d >> 32) * below) >> 32);
}

static size_t draw_size(size_t below)
{
    return below ? draw((uint32_t)below) : 0;
}

/* A number of 1, 2, 4 or 8 bytes: one that limits are at, or a little more or less than was there. */
static void change_number(uint8_t *at, size_t left)
{
    static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                      0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX };
    size_t bytes = (size_t)1 << draw(4);
    uint64_t value = 0;

    if (bytes > left)
        bytes = 1;
    memcpy(&value, at, bytes);
    if (draw(2))
        value = edges[draw(sizeof(edges) / sizeof(edges[0]))];
    else
        value += (uint64_t)draw(33) - 16;
    memcpy(at, &value, bytes);
}

/* `piece` goes in before `at`. */
static size_t insert(uint8_t *data, size_t size, size_t at, const uint8_t *piece, size_t n)
{
    uint8_t copy[256];

    if (n > sizeof(copy))
        n = sizeof(copy);
    if (n > MOST_BYTES - size)
        n = MOST_BYTES - size;
    memcpy(copy, piece, n); /* it may lie in data itself */
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, copy, n);
    return size + n;
}

static size_t change(uint8_t *data, size_t size, const struct input *other)
{
    size_t at = draw_size(size), n = 1 + draw_size(size - at > 64 ? 64 : size - at);
    size_t to = draw_size(size + 1), from = draw_size(other->size);

    switch (size ? draw(7) : 6) {
    case 0:
        data[at] ^= (uint8_t)(1u << draw(8));
        return size;
    case 1:
        data[at] = (uint8_t)draw(256);
        return size;
    case 2:
        change_number(data + at, size - at);
        return size;
    case 3: /* a piece goes away */
        n = n > size - at ? size - at : n;
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 4: /* a piece comes twice */
        return insert(data, size, to, data + at, n > size - at ? size - at : n);
    case 5: /* the end goes away */
        return draw(4) ? size : at;
    default: /* a piece of another input */
        if (!other->size)
            return size;
        return insert(data, size, to, other->data + from, 1 + draw_size(other->size - from));
    }
}

static void run_made(const struct input *inputs, unsigned long nr)
{
    static uint8_t data[MOST_BYTES];

    for (unsigned long i = 0; i < FUZZ_RUNS; i++) {
        const struct input *base = &inputs[draw((uint32_t)nr)];
        size_t size = base->size;

        memcpy(data, base->data, size);
        for (unsigned int changes = 1 + draw(CHANGES); changes; changes--)
            size = change(data, size, &inputs[draw((uint32_t)nr)]);
        run(data, size);
    }
}

/* ------------------------------------------------------------------ inputs that are kept */

static uint8_t *whole_file(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    size_t room = 1u << 16;
    uint8_t *data = malloc(room);

    if (!in || !data) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    for (*size = 0; (*size += fread(data + *size, 1, room - *size, in)) == room; room *= 2) {
        data = realloc(data, 2 * room);
        if (!data)
            abort();
    }
    fclose(in);
    return data;
}

static unsigned long split(const uint8_t *data, size_t size, struct input *inputs)
{
    unsigned long nr = 0;

    for (size_t at = 0, n; at < size; at += 2 + n) {
        n = size - at >= 2 ? data[at] | (size_t)data[at + 1] << 8 : size;
        if (n > size - at - 2) {
            fprintf(stderr, CORPUS " ends inside an input\n");
            exit(1);
        }
        inputs[nr++] = (struct input){ data + at + 2, n };
    }
    return nr;
}

static int run_all(void)
{
    size_t size;
    uint8_t *corpus = whole_file(CORPUS, &size);
    struct input *inputs = calloc(size / 2 + 1, sizeof(*inputs));
    unsigned long nr = inputs ? split(corpus, size, inputs) : 0;

    if (!nr) {
        fprintf(stderr, CORPUS " has no input\n");
        return 1;
    }
    for (unsigned long i = 0; i < nr; i++)
        run(inputs[i].data, inputs[i].size);
    run_made(inputs, nr);
    printf("%lu inputs kept, %lu made\n", nr, (unsigned long)FUZZ_RUNS);
    free(inputs);
    free(corpus);
    return fuzz_meant_something && !fuzz_meant_something(nr, FUZZ_RUNS);
}

int main(int argc, char **argv)
{
    snprintf(left_in, sizeof(left_in), "%s.input", argv[0]);
    __sanitizer_set_death_callback(keep_input);
    signal(SIGABRT, on_signal);
    signal(SIGPROF, on_signal);
    for (int i = 1; i < argc; i++) {
        size_t size;
        uint8_t *data = whole_file(argv[i], &size);

        run(data, size);
        free(data);
    }
    return argc > 1 ? 0 : run_all();
}
