/* Preloaded into the program: as soon as the file BREAK_WHEN exists, `epoll_wait` fails in the thread named
   BREAK_THREAD. The runtime panics there, as it would where the system itself fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    char thread[16] = "";
    const char *broken = getenv("BREAK_THREAD"), *when = getenv("BREAK_WHEN");
    prctl(PR_GET_NAME, thread);
    if (broken && when && strcmp(thread, broken) == 0 && access(when, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    int (*real)(int, struct epoll_event *, int, int) = dlsym(RTLD_NEXT, "epoll_wait");
    return real(epoll, events, most, timeout);
}
