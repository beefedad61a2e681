/* SPDX-License-Identifier: MIT */
/*
 * Spends its time in two functions and says how much in each: what a profile of it must show.
 *
 *   where_time_goes ROUNDS PROCESSES     as many processes do the rounds at once
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPINS 200000u
#define CALLS 500u

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void spin_here(void)
{
    volatile uint64_t sum = 0;

    for (uint32_t i = 0; i < SPINS; i++)
        sum += i;
}

__attribute__((noinline)) static void call_kernel(void)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        long result;

        __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_getppid) : "rcx", "r11", "memory");
    }
}

__attribute__((noinline)) static void work(uint32_t rounds, uint64_t ns[2])
{
    while (rounds--) {
        uint64_t start = now_ns(), middle;

        spin_here();
        middle = now_ns();
        call_kernel();
        ns[0] += middle - start;
        ns[1] += now_ns() - middle;
    }
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    int processes = argc > 2 ? atoi(argv[2]) : 1;
    uint64_t ns[2] = { 0 };

    while (--processes > 0 && fork())
        ;
    work(rounds, ns);
    while (wait(NULL) > 0)
        ;
    printf("spent %llu %llu\n", (unsigned long long)ns[0], (unsigned long long)ns[1]);
    return 0;
}
