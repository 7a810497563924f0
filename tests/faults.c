/* Faults below the host. Tests preload this library into the host's process, where its
 * functions replace those of the C library.
 *
 * PILUMTEST_FAULT=write:N:ERRNO or sync:N:ERRNO fails the N-th write to, or sync
 * of, a file whose path contains "executions.db", once.
 * PILUMTEST_CLOCK=FILE adds the number of seconds in FILE to the wall clock. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long writes, syncs;

/* Whether this call must fail; if so, errno is set. */
static int fails(int fd, const char *kind, atomic_long *counter) {
  const char *fault = getenv("PILUMTEST_FAULT");
  size_t length = strlen(kind);
  if (!fault || strncmp(fault, kind, length) != 0 || fault[length] != ':') return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  if (!strstr(path, "executions.db")) return 0;
  long at = 0;
  int error = 0;
  if (sscanf(fault + length + 1, "%ld:%d", &at, &error) != 2) return 0;
  if (atomic_fetch_add(counter, 1) + 1 != at) return 0;
  fprintf(stderr, "fault: %s %ld fails\n", kind, at);
  errno = error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t size) {
  return fails(fd, "write", &writes) ? -1 : REAL(write)(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  return fails(fd, "write", &writes) ? -1 : REAL(pwrite)(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  return fails(fd, "write", &writes) ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}

int ftruncate64(int fd, off64_t size) {
  return fails(fd, "write", &writes) ? -1 : REAL(ftruncate64)(fd, size);
}

int fsync(int fd) { return fails(fd, "sync", &syncs) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return fails(fd, "sync", &syncs) ? -1 : REAL(fdatasync)(fd); }

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = REAL(clock_gettime);
  int result = real(clock, time);
  const char *file = getenv("PILUMTEST_CLOCK");
  if (clock != CLOCK_REALTIME || !file) return result;
  FILE *offset = fopen(file, "r");
  long seconds = 0;
  if (offset) {
    if (fscanf(offset, "%ld", &seconds) == 1) time->tv_sec += seconds;
    fclose(offset);
  }
  return result;
}
