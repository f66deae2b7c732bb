/*
 * The catalogue on disk: one LMDB file. A NULL kopd_db is the catalogue of `memory:`, where every change succeeds
 * and nothing is kept.
 *
 *   meta     "format", "cluster", "partition" (next id), "producer" (next id)
 *   topics   topic id (16)        -> name, partitions {id, assigned node}, configs
 *   epochs   partition id (u64)   -> newest leader epoch granted (i32)
 *   starts   partition id (u64)   -> log start (i64)
 *   ends     partition id (u64)   -> the log's end is not below this (i64)
 *   states   partition id (u64), name -> as-of offset (i64), CRC32C (u32), bytes
 *
 * All numbers are little-endian, in keys big-endian, so that they sort. Functions give 0 or a negative error for kopd_db_strerror.
 */
#ifndef KOPD_STORE_DB_H
#define KOPD_STORE_DB_H

#include "store/state.h"

/* Opens or makes PATH; `cluster_id` is stored in a new one and replaced by what an older one holds. */
int kopd_db_open(const char *path, const kopd_io *io, char cluster_id[24], kopd_db **out);
void kopd_db_close(kopd_db *db);
const char *kopd_db_strerror(int error);
/* Whether a name still leads to the file. */
bool kopd_db_is_linked(kopd_db *db);

/*
 * One change: `stage` puts into the transaction and is called again from the start if the file had to grow; then
 * the transaction is committed and on disk. One change at a time, others wait.
 */
int kopd_db_update(kopd_db *db, int (*stage)(kopd_db *db, void *txn, void *arg), void *arg);

int kopd_db_put_topic(kopd_db *db, void *txn, const kopd_topic *t);
int kopd_db_delete_topic(kopd_db *db, void *txn, const kopd_topic *t);
int kopd_db_put_number(kopd_db *db, void *txn, const char *name, uint64_t value);
int kopd_db_put_epoch(kopd_db *db, void *txn, uint64_t partition, int32_t epoch);
/* A log start never goes back: a smaller one than is stored changes nothing. */
int kopd_db_raise_start(kopd_db *db, void *txn, uint64_t partition, int64_t start);
/* Nor does an end. */
int kopd_db_raise_end(kopd_db *db, void *txn, uint64_t partition, int64_t end);
int kopd_db_put_state(kopd_db *db, void *txn, uint64_t partition, const kop_state *state);
/* 1 and a copy made by `memory`; 0: there is none or it is damaged; else an error. */
int kopd_db_get_state(kopd_db *db, uint64_t partition, kop_slice name, kopd_op *op,
                      kop_state_result *out);

/* Reads everything into the store at start. */
int kopd_db_load(kopd_store *s);

#endif
