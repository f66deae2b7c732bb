/*
 * An engine for tests of the transport: it remembers what it was told. It defines the kop_engine_
 * functions that the transport calls, so that the linker takes these instead of the library's.
 */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include <kop/engine.h>

#define FAKE_CONNS 64

typedef struct fake_conn {
  uint64_t context;
  int open;
  uint8_t received[1 << 16];
  size_t received_len;
  size_t cap; /* offered per read; 0: paused */
} fake_conn;

struct kop_engine {
  fake_conn conns[FAKE_CONNS]; /* by id - 1 */
  uint64_t opened;
  uint64_t closed;
  kop_status admit; /* what conn_open answers */
  uint64_t completions;
  kop_completion last;
  uint64_t reports;
  uint64_t sent_token;
  uint64_t sent_bytes; /* as last reported */
};

#endif
