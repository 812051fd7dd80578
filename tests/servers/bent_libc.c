/* Loaded before the C library by tests: a disk that syncs slowly, and a wall clock that jumps.
 *
 * The file named by BENT_LIBC holds "SYNC_MS OFFSET_S SYNCHRONISED" and is read again at each call, so that a test
 * may bend the running process. Everything else goes to the real library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static void bent(long *sync_ms, long *offset_s, int *synchronised) {
    char text[64] = {0};
    *sync_ms = 0, *offset_s = 0, *synchronised = 1;
    const char *path = getenv("BENT_LIBC");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    if (read(file, text, sizeof text - 1) > 0) sscanf(text, "%ld %ld %d", sync_ms, offset_s, synchronised);
    close(file);
}

static void slow(void) {
    long sync_ms, offset_s;
    int synchronised;
    bent(&sync_ms, &offset_s, &synchronised);
    if (sync_ms) usleep(sync_ms * 1000);
}

int fsync(int file) {
    slow();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    slow();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    if (!done && which == CLOCK_REALTIME) {
        long sync_ms, offset_s;
        int synchronised;
        bent(&sync_ms, &offset_s, &synchronised);
        now->tv_sec += offset_s;
    }
    return done;
}

int adjtimex(struct timex *state) {
    long sync_ms, offset_s;
    int synchronised;
    bent(&sync_ms, &offset_s, &synchronised);
    (void)state;
    return synchronised ? TIME_OK : TIME_ERROR;
}
