/*
 * A disk that loses power. It stands between a store and the real file calls and knows what a power cut would leave: of each file
 * the bytes at its last sync, of each folder the names at its last sync.
 *
 * Calls are counted. At call number `cut_at` the power goes: that call may or may not have happened, a write may have happened in
 * part; all later calls fail. sim_restart then puts on the disk what a machine would find: synced bytes for certain, and, as a
 * dice decides, some of the rest: more bytes of a file, with a sector of zeros in them, bytes that were cut off without a sync, names
 * that came or went.
 *
 * At call number `fail_at` one call, or `fail_count` calls, fail with `fail_with` instead, as on a full or broken disk.
 */
#ifndef TESTS_UNIT_STORE_SIM_IO_H
#define TESTS_UNIT_STORE_SIM_IO_H

#include <stdbool.h>

#include "store/io.h"

typedef struct sim sim;

sim *sim_new(uint64_t seed);
void sim_free(sim *s);
const kopd_io *sim_io(sim *s);
void sim_cut_at(sim *s, uint64_t call);
void sim_fail_at(sim *s, uint64_t call, uint64_t count, int error);
uint64_t sim_calls(const sim *s);
bool sim_is_dead(const sim *s);
/* Puts the disk into the state that the machine finds. */
void sim_restart(sim *s);

#endif
