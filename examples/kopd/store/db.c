/* The catalogue's LMDB file. db.h lists what is in it. */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct kopd_db {
  const kopd_io *io;
  char *path;
  MDB_env *env;
  MDB_dbi meta;
  MDB_dbi topics;
  MDB_dbi epochs;
  MDB_dbi starts;
  MDB_dbi ends;
  MDB_dbi states;
  pthread_mutex_t lock; /* one change at a time, so that the map can grow between two */
  size_t map_size;
};

enum { KEY_MAX = 500 }; /* LMDB's bound is 511 */

#define MAP_FIRST ((size_t)64 << 20)

const char *kopd_db_strerror(int error) {
  return mdb_strerror(error > -1000 ? -error : error);
}

/* LMDB gives errno values as they are and its own as large negative numbers: both negative from here on. */
static int negative(int rc) {
  return rc > 0 ? -rc : rc;
}

static int dbis_open(kopd_db *db) {
  MDB_txn *txn = NULL;
  int rc = mdb_txn_begin(db->env, NULL, 0, &txn);
  if (rc != 0) return negative(rc);
  rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &db->meta);
  if (rc == 0) rc = mdb_dbi_open(txn, "topics", MDB_CREATE, &db->topics);
  if (rc == 0) rc = mdb_dbi_open(txn, "epochs", MDB_CREATE, &db->epochs);
  if (rc == 0) rc = mdb_dbi_open(txn, "starts", MDB_CREATE, &db->starts);
  if (rc == 0) rc = mdb_dbi_open(txn, "ends", MDB_CREATE, &db->ends);
  if (rc == 0) rc = mdb_dbi_open(txn, "states", MDB_CREATE, &db->states);
  if (rc != 0) {
    mdb_txn_abort(txn);
    return negative(rc);
  }
  return negative(mdb_txn_commit(txn));
}

/*
 * A file that was cut short would end the process with SIGBUS where the map has nothing behind it. With zeros there LMDB finds
 * pages that are none and says so. (A few pages at the end may be missing rightly: freed in the transaction that took them.)
 */
static int fill_up(MDB_env *env) {
  MDB_envinfo info;
  MDB_stat shape;
  struct stat st;
  mdb_filehandle_t fd;
  int rc = mdb_env_info(env, &info);
  if (rc == 0) rc = mdb_env_stat(env, &shape);
  if (rc == 0) rc = mdb_env_get_fd(env, &fd);
  if (rc != 0) return rc;
  if (fstat(fd, &st) != 0) return errno;
  off_t whole = (off_t)(info.me_last_pgno + 1) * (off_t)shape.ms_psize;
  return st.st_size >= whole || ftruncate(fd, whole) == 0 ? 0 : errno;
}

static int env_open(kopd_db *db) {
  int rc = mdb_env_create(&db->env);
  if (rc != 0) return negative(rc);
  mdb_env_set_maxdbs(db->env, 8);
  mdb_env_set_mapsize(db->env, db->map_size);
  /* Every transaction holds db->lock and the folder is locked: LMDB's own lock file has nothing to add. */
  rc = mdb_env_open(db->env, db->path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD, 0644);
  if (rc == 0) rc = fill_up(db->env);
  if (rc == 0) rc = dbis_open(db);
  if (rc == 0) return 0;
  mdb_env_close(db->env);
  db->env = NULL;
  return negative(rc);
}

static int begin(kopd_db *db, unsigned flags, MDB_txn **txn) {
  if (db->env == NULL) {
    int rc = env_open(db);
    if (rc != 0) return rc;
  }
  int rc = mdb_txn_begin(db->env, NULL, flags, txn);
  if (rc != MDB_PANIC) return negative(rc);
  /* A commit failed half-way, on a full disk say; the file is as the last good commit left it. */
  mdb_env_close(db->env);
  db->env = NULL;
  rc = env_open(db);
  if (rc == 0) rc = negative(mdb_txn_begin(db->env, NULL, flags, txn));
  return rc;
}

static int grow(kopd_db *db) {
  int rc = mdb_env_set_mapsize(db->env, db->map_size * 2);
  if (rc == 0) db->map_size *= 2;
  return negative(rc);
}

int kopd_db_update(kopd_db *db, int (*stage)(kopd_db *db, void *txn, void *arg), void *arg) {
  if (db == NULL) return 0;
  int rc = 0;
  pthread_mutex_lock(&db->lock);
  for (;;) {
    MDB_txn *txn = NULL;
    rc = begin(db, 0, &txn);
    if (rc != 0) break;
    rc = stage(db, txn, arg);
    if (rc == 0) {
      rc = db->io->commit(db->io->user_data, txn);
    } else {
      mdb_txn_abort(txn);
    }
    if (rc != MDB_MAP_FULL) break;
    rc = grow(db);
    if (rc != 0) break;
  }
  pthread_mutex_unlock(&db->lock);
  return rc;
}

/* ---- keys and values ---- */

static MDB_val key_of(uint64_t partition, uint64_t *room) {
  *room = htobe64(partition);
  return (MDB_val){sizeof *room, room};
}

static int put(MDB_txn *txn, MDB_dbi dbi, MDB_val key, const void *value, size_t size) {
  MDB_val v = {size, (void *)(uintptr_t)value};
  return negative(mdb_put(txn, dbi, &key, &v, 0));
}

static int get_number(MDB_txn *txn, MDB_dbi dbi, MDB_val key, uint64_t *value) {
  MDB_val v;
  int rc = mdb_get(txn, dbi, &key, &v);
  if (rc == MDB_NOTFOUND) return 0;
  if (rc != 0) return negative(rc);
  if (v.mv_size != sizeof *value) return MDB_CORRUPTED;
  memcpy(value, v.mv_data, sizeof *value);
  *value = le64toh(*value);
  return 0;
}

static MDB_val name_key(const char *name) {
  return (MDB_val){strlen(name), (void *)(uintptr_t)name};
}

int kopd_db_put_number(kopd_db *db, void *txn, const char *name, uint64_t value) {
  uint64_t le = htole64(value);
  return put(txn, db->meta, name_key(name), &le, sizeof le);
}

int kopd_db_put_epoch(kopd_db *db, void *txn, uint64_t partition, int32_t epoch) {
  uint64_t room = 0, le = htole64((uint64_t)epoch);
  return put(txn, db->epochs, key_of(partition, &room), &le, sizeof le);
}

/* An offset that never goes back. */
static int raise_offset(MDB_txn *txn, MDB_dbi dbi, uint64_t partition, int64_t to) {
  uint64_t room = 0, now = 0;
  MDB_val key = key_of(partition, &room);
  int rc = get_number(txn, dbi, key, &now);
  if (rc != 0 || (int64_t)now >= to) return rc;
  uint64_t le = htole64((uint64_t)to);
  return put(txn, dbi, key, &le, sizeof le);
}

int kopd_db_raise_start(kopd_db *db, void *txn, uint64_t partition, int64_t start) {
  return raise_offset(txn, db->starts, partition, start);
}

int kopd_db_raise_end(kopd_db *db, void *txn, uint64_t partition, int64_t end) {
  return raise_offset(txn, db->ends, partition, end);
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t n) {
  uint32_t le = htole32((uint32_t)n);
  memcpy(at, &le, sizeof le);
  if (n > 0) memcpy(at + sizeof le, bytes, n);
  return at + sizeof le + n;
}

static uint8_t *put_u32(uint8_t *at, uint32_t v) {
  v = htole32(v);
  memcpy(at, &v, sizeof v);
  return at + sizeof v;
}

int kopd_db_put_topic(kopd_db *db, void *txn, const kopd_topic *t) {
  size_t size = 12 + t->name_len + 12 * (size_t)t->partitions_count;
  for (uint32_t i = 0; i < t->settings_count; i++)
    size += 8 + strlen(t->settings[i].name) + strlen(t->settings[i].value);
  MDB_val key = {sizeof t->id.bytes, (void *)(uintptr_t)t->id.bytes};
  MDB_val value = {size, NULL};
  int rc = mdb_put(txn, db->topics, &key, &value, MDB_RESERVE);
  if (rc != 0) return negative(rc);
  uint8_t *at = put_bytes(value.mv_data, t->name, t->name_len);
  at = put_u32(at, t->partitions_count);
  for (uint32_t i = 0; i < t->partitions_count; i++) {
    uint64_t id = htole64(t->partitions[i]->id);
    memcpy(at, &id, sizeof id);
    at = put_u32(at + sizeof id, (uint32_t)t->partitions[i]->assigned);
  }
  at = put_u32(at, t->settings_count);
  for (uint32_t i = 0; i < t->settings_count; i++) {
    at = put_bytes(at, t->settings[i].name, strlen(t->settings[i].name));
    at = put_bytes(at, t->settings[i].value, strlen(t->settings[i].value));
  }
  return 0;
}

static int delete_key(MDB_txn *txn, MDB_dbi dbi, MDB_val key) {
  int rc = mdb_del(txn, dbi, &key, NULL);
  return rc == MDB_NOTFOUND ? 0 : negative(rc);
}

/* All states of a partition: the keys that begin with its id. */
static int delete_states(kopd_db *db, MDB_txn *txn, uint64_t partition) {
  uint64_t room = 0;
  MDB_val want = key_of(partition, &room), key = want, value;
  MDB_cursor *cursor = NULL;
  int rc = mdb_cursor_open(txn, db->states, &cursor);
  if (rc != 0) return negative(rc);
  rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  while (rc == 0 && key.mv_size >= sizeof room && memcmp(key.mv_data, &room, sizeof room) == 0) {
    rc = mdb_cursor_del(cursor, 0);
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
    if (rc == EINVAL) rc = MDB_NOTFOUND; /* the last key of all is gone */
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : negative(rc);
}

int kopd_db_delete_topic(kopd_db *db, void *txn, const kopd_topic *t) {
  int rc =
      delete_key(txn, db->topics, (MDB_val){sizeof t->id.bytes, (void *)(uintptr_t)t->id.bytes});
  for (uint32_t i = 0; rc == 0 && i < t->partitions_count; i++) {
    uint64_t room = 0;
    MDB_val key = key_of(t->partitions[i]->id, &room);
    rc = delete_key(txn, db->epochs, key);
    if (rc == 0) rc = delete_key(txn, db->starts, key);
    if (rc == 0) rc = delete_key(txn, db->ends, key);
    if (rc == 0) rc = delete_states(db, txn, t->partitions[i]->id);
  }
  return rc;
}

/* ---- saved state ---- */

static bool state_key(uint64_t partition, kop_slice name, uint8_t room[KEY_MAX], MDB_val *key) {
  uint64_t be = htobe64(partition);
  if (name.len > KEY_MAX - sizeof be) return false;
  memcpy(room, &be, sizeof be);
  if (name.len > 0) memcpy(room + sizeof be, name.ptr, name.len);
  *key = (MDB_val){sizeof be + name.len, room};
  return true;
}

int kopd_db_put_state(kopd_db *db, void *txn, uint64_t partition, const kop_state *state) {
  uint8_t room[KEY_MAX];
  MDB_val key, value = {12 + state->bytes.len, NULL};
  if (!state_key(partition, state->name, room, &key)) return -ENAMETOOLONG;
  int rc = mdb_put(txn, db->states, &key, &value, MDB_RESERVE);
  if (rc != 0) return negative(rc);
  uint8_t *at = value.mv_data;
  uint64_t as_of = htole64((uint64_t)state->as_of);
  memcpy(at, &as_of, sizeof as_of);
  put_u32(at + 8, kopd_crc32c(kopd_crc32c(0, at, 8), state->bytes.ptr, state->bytes.len));
  if (state->bytes.len > 0) memcpy(at + 12, state->bytes.ptr, state->bytes.len);
  return 0;
}

int kopd_db_get_state(kopd_db *db, uint64_t partition, kop_slice name, kopd_op *op,
                      kop_state_result *out) {
  uint8_t room[KEY_MAX];
  MDB_val key, value;
  MDB_txn *txn = NULL;
  if (!state_key(partition, name, room, &key)) return 0;
  pthread_mutex_lock(&db->lock);
  int rc = begin(db, MDB_RDONLY, &txn);
  if (rc != 0) goto out;
  rc = mdb_get(txn, db->states, &key, &value);
  if (rc == MDB_NOTFOUND) {
    rc = 0;
    goto out;
  }
  if (rc != 0) {
    rc = negative(rc);
    goto out;
  }
  if (value.mv_size < 12) goto out;
  const uint8_t *at = value.mv_data;
  size_t n = value.mv_size - 12;
  uint32_t crc = 0;
  memcpy(&crc, at + 8, sizeof crc);
  if (le32toh(crc) != kopd_crc32c(kopd_crc32c(0, at, 8), at + 12, n)) goto out;
  uint8_t *copy = kopd_op_memory(op, n + 1);
  rc = -ENOMEM;
  if (copy == NULL) goto out;
  memcpy(copy, at + 12, n);
  uint64_t as_of = 0;
  memcpy(&as_of, at, sizeof as_of);
  *out =
      (kop_state_result){.size = sizeof *out, .as_of = (int64_t)le64toh(as_of), .bytes = {copy, n}};
  rc = 1;
out:
  if (txn != NULL) mdb_txn_abort(txn);
  pthread_mutex_unlock(&db->lock);
  return rc;
}

bool kopd_db_is_linked(kopd_db *db) {
  if (db == NULL || db->env == NULL) return true;
  mdb_filehandle_t fd = -1;
  struct stat st;
  return mdb_env_get_fd(db->env, &fd) != 0 || fstat(fd, &st) != 0 || st.st_nlink > 0;
}

/* ---- opening and loading ---- */

static int stage_identity(kopd_db *db, void *txn, void *arg) {
  char *cluster_id = arg;
  MDB_val key = name_key("cluster"), value;
  uint64_t format = 0;
  int rc = get_number(txn, db->meta, name_key("format"), &format);
  if (rc != 0) return rc;
  if (format > KOPD_FORMAT) return MDB_VERSION_MISMATCH;
  if (format == 0) {
    rc = kopd_db_put_number(db, txn, "format", KOPD_FORMAT);
    if (rc == 0) rc = put(txn, db->meta, key, cluster_id, strlen(cluster_id));
    return rc;
  }
  rc = mdb_get(txn, db->meta, &key, &value);
  if (rc != 0) return negative(rc);
  if (value.mv_size >= 24) return MDB_CORRUPTED;
  memcpy(cluster_id, value.mv_data, value.mv_size);
  cluster_id[value.mv_size] = '\0';
  return 0;
}

int kopd_db_open(const char *path, const kopd_io *io, char cluster_id[24], kopd_db **out) {
  kopd_db *db = calloc(1, sizeof *db);
  if (db == NULL) return -ENOMEM;
  pthread_mutex_init(&db->lock, NULL);
  db->io = io;
  db->map_size = MAP_FIRST;
  struct stat st;
  while (stat(path, &st) == 0 && (uint64_t)st.st_size > db->map_size / 2)
    db->map_size *= 2;
  db->path = strdup(path);
  int rc = db->path == NULL ? -ENOMEM : env_open(db);
  if (rc == 0) rc = kopd_db_update(db, stage_identity, cluster_id);
  if (rc != 0) {
    kopd_db_close(db);
    return rc;
  }
  *out = db;
  return 0;
}

void kopd_db_close(kopd_db *db) {
  if (db == NULL) return;
  if (db->env != NULL) mdb_env_close(db->env);
  pthread_mutex_destroy(&db->lock);
  free(db->path);
  free(db);
}

/* Reads what put_bytes and put_u32 wrote; `ok` turns false at the first thing that does not fit. */
typedef struct reader {
  const uint8_t *at;
  const uint8_t *end;
  bool ok;
} reader;

static const uint8_t *take(reader *r, size_t n) {
  if (!r->ok || (size_t)(r->end - r->at) < n) {
    r->ok = false;
    return NULL;
  }
  const uint8_t *p = r->at;
  r->at += n;
  return p;
}

static uint32_t take_u32(reader *r) {
  uint32_t v = 0;
  const uint8_t *p = take(r, sizeof v);
  if (p != NULL) memcpy(&v, p, sizeof v);
  return le32toh(v);
}

static uint64_t take_u64(reader *r) {
  uint64_t v = 0;
  const uint8_t *p = take(r, sizeof v);
  if (p != NULL) memcpy(&v, p, sizeof v);
  return le64toh(v);
}

static kop_slice take_bytes(reader *r) {
  size_t n = take_u32(r);
  return (kop_slice){take(r, n), n};
}

static int load_partition(kopd_db *db, MDB_txn *txn, kopd_partition *p) {
  uint64_t room = 0, epoch = UINT64_MAX, start = 0, end = 0;
  MDB_val key = key_of(p->id, &room);
  int rc = get_number(txn, db->epochs, key, &epoch);
  if (rc == 0) rc = get_number(txn, db->starts, key, &start);
  if (rc == 0) rc = get_number(txn, db->ends, key, &end);
  p->epoch = p->promised = (int32_t)(int64_t)epoch;
  p->log_start = p->end = p->reserved = (int64_t)start;
  p->known_end = (int64_t)end;
  return rc;
}

static int load_topic(kopd_store *s, MDB_txn *txn, const MDB_val *key, const MDB_val *value,
                      kopd_topic **out) {
  reader r = {value->mv_data, (const uint8_t *)value->mv_data + value->mv_size, true};
  kop_uuid id;
  if (key->mv_size != sizeof id.bytes) return MDB_CORRUPTED;
  memcpy(id.bytes, key->mv_data, sizeof id.bytes);
  kop_slice name = take_bytes(&r);
  if (!r.ok) return MDB_CORRUPTED;
  kopd_topic *t = kopd_topic_new(name, &id);
  if (t == NULL) return -ENOMEM;
  int rc = 0;
  uint32_t partitions = take_u32(&r);
  for (uint32_t i = 0; rc == 0 && r.ok && i < partitions; i++) {
    uint64_t partition = take_u64(&r);
    int32_t assigned = (int32_t)take_u32(&r);
    if (!r.ok) break;
    rc = kopd_topic_add_partition(t, partition, assigned) != 0 ? -ENOMEM : 0;
    if (rc == 0) rc = load_partition(s->db, txn, t->partitions[i]);
  }
  uint32_t settings = take_u32(&r);
  for (uint32_t i = 0; rc == 0 && r.ok && i < settings; i++) {
    kop_slice setting = take_bytes(&r), text = take_bytes(&r);
    if (r.ok && kopd_topic_set(t, setting, text) != 0) rc = -ENOMEM;
  }
  if (rc == 0 && (!r.ok || t->partitions_count == 0)) rc = MDB_CORRUPTED;
  if (rc != 0) {
    kopd_topic_free(t);
    return rc;
  }
  kopd_topic_derive(s, t);
  *out = t;
  return 0;
}

static int by_first_partition(const void *a, const void *b) {
  uint64_t x = (*(kopd_topic *const *)a)->partitions[0]->id;
  uint64_t y = (*(kopd_topic *const *)b)->partitions[0]->id;
  return x < y ? -1 : x > y;
}

static int load_topics(kopd_store *s, MDB_txn *txn) {
  MDB_cursor *cursor = NULL;
  kopd_topic **all = NULL;
  size_t n = 0, cap = 0;
  MDB_val key, value;
  int rc = mdb_cursor_open(txn, s->db->topics, &cursor);
  if (rc != 0) return negative(rc);
  while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    if (n == cap) {
      cap = cap == 0 ? 64 : cap * 2;
      kopd_topic **more = realloc(all, cap * sizeof *all);
      rc = more == NULL ? -ENOMEM : 0;
      if (rc != 0) break;
      all = more;
    }
    rc = load_topic(s, txn, &key, &value, &all[n]);
    if (rc != 0) break;
    n++;
  }
  mdb_cursor_close(cursor);
  if (rc == MDB_NOTFOUND) rc = 0;
  if (n > 0) qsort(all, n, sizeof *all, by_first_partition);
  for (size_t i = 0; i < n; i++) {
    if (rc == 0 && kopd_topic_publish_locked(s, all[i]) != 0) rc = -ENOMEM;
    if (rc != 0) kopd_topic_free(all[i]);
  }
  free(all);
  return negative(rc);
}

int kopd_db_load(kopd_store *s) {
  MDB_txn *txn = NULL;
  int rc = begin(s->db, MDB_RDONLY, &txn);
  if (rc != 0) return rc;
  uint64_t partition = 1, producer = 0;
  rc = get_number(txn, s->db->meta, name_key("partition"), &partition);
  if (rc == 0) rc = get_number(txn, s->db->meta, name_key("producer"), &producer);
  if (rc == 0) rc = load_topics(s, txn);
  mdb_txn_abort(txn);
  s->next_partition = partition;
  s->next_producer_id = (int64_t)producer;
  return rc;
}
