/*
 * Both clocks come from clock_gettime: the monotonic one drives timers, the wall clock stamps
 * records.
 */
#include "clock.h"

#include <time.h>

kop_now kopd_now(void) {
  struct timespec mono = {0};
  struct timespec wall = {0};
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  return (kop_now){
      .mono_ns = (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec,
      .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
  };
}
