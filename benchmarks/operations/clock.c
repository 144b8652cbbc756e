/* A clock of the wall that may run ahead and faster, for processes that are started with LD_PRELOAD=this.

Belongs here: the calls by which a program asks what time it is. Not here: setting it (clock.py), clocks that measure
how long something takes: those stay true, so timeouts and sleeps are what they are.

A file that is mapped into memory holds three numbers: when the clock began, how many times faster it runs since, and
how far it was moved ahead; nanoseconds, and a thousandth for the second. One of the calls takes a moment and waits for
it, so it is translated back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000LL;
static volatile int64_t *clock_of_file;

__attribute__((constructor)) static void open_clock(void) {
    const char *name = getenv("SIMULATED_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, 24, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) clock_of_file = mapped;
}

static int64_t shown(int64_t real) {
    if (!clock_of_file) return real;
    int64_t began = clock_of_file[0], thousandths = clock_of_file[1];
    return real + (real - began) / 1000 * (thousandths - 1000) + clock_of_file[2];
}

static int64_t real_of(int64_t at) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    int64_t real = now.tv_sec * SECOND + now.tv_nsec;
    return real + (at - shown(real));  /* how long it waits is true time */
}

int clock_gettime(clockid_t which, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, which, at);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t now = shown(at->tv_sec * SECOND + at->tv_nsec);
        at->tv_sec = now / SECOND;
        at->tv_nsec = now % SECOND;
    }
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
    int64_t at = real_of(until->tv_sec * SECOND + until->tv_nsec);
    struct timespec true_until = {at / SECOND, at % SECOND};
    return real(semaphore, &true_until);
}
