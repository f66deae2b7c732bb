/* A seeded generator for property tests (splitmix64): the same seed gives the same test. */
#ifndef TESTS_SUPPORT_RNG_H
#define TESTS_SUPPORT_RNG_H

#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Uniform enough below `n`, which must not be 0. */
static inline uint64_t rng_below(uint64_t *state, uint64_t n) {
  return rng_next(state) % n;
}

#endif
