/*
 * A Pulsar broker made of memory, and the embedder of the session under test.
 *
 * It answers every command as a broker does, unless a test's script does it, and it writes down what it sees and what
 * the session tells, line by line; a test compares the lines:
 *
 *   2 > LOOKUP t                     connection 2 brought a command
 *   connect 3 b1:6650                an effect
 *   producer_ready 1 times=1 ...     an event
 *
 * Its topics live in one store shared by all "hosts". Bytes go to the session in pieces of `cut`.
 */
#ifndef TESTS_UNIT_PULSAR_FAKE_BROKER_H
#define TESTS_UNIT_PULSAR_FAKE_BROKER_H

#include <kop/pulsar.h>
#include <stdbool.h>

#include "base/buf.h"
#include "pulsar/frame.h"

enum { FB_CONNS = 64, FB_TOPICS = 16, FB_ENTRIES = 512, FB_CONSUMERS = 64 };

typedef struct fb fb;

/* A command as the broker got it. */
typedef struct fb_command {
  uint64_t conn;
  const Kopi__BaseCommand *b;
  kop_slice entry; /* SEND: what follows the command */
} fb_command;

/* Says true when it has done what is to be done about the command. */
typedef bool fb_script(fb *f, const fb_command *c);

typedef struct fb_conn {
  uint64_t id; /* 0: free */
  bool open;
  bool paused;
  bool sending; /* a SEND is open and held */
  char host[64];
  kopi_buf in;  /* what the session wrote and was not parsed */
  kopi_buf out; /* what goes to the session */
} fb_conn;

typedef struct fb_topic {
  char name[96];
  kopi_buf entries[FB_ENTRIES];
  size_t len;
} fb_topic;

typedef struct fb_consumer {
  uint64_t id; /* 0: free */
  uint64_t conn;
  fb_topic *topic;
  int64_t permits;
  size_t at;
} fb_consumer;

struct fb {
  kop_pulsar_session *s;
  kop_alloc alloc;
  kop_now now;
  fb_conn conns[FB_CONNS];
  fb_topic topics[FB_TOPICS];
  fb_consumer consumers[FB_CONSUMERS];
  kopi_proto_arena decoded;
  kopi_buf log;
  fb_script *script;
  void *data;            /* the script's */
  size_t cut;            /* bytes at a time; 0: all that there is */
  uint64_t rng;          /* not 0: pieces of random size */
  uint64_t lose_after;   /* not 0: a connection is lost when the session got so many bytes more */
  bool hold;             /* SENDs stay open until fb_sent_all() */
  bool refuse;           /* connections cannot be opened */
  bool quiet;            /* nothing is written down */
  kopi_buf *tap;         /* gets all that the session writes, unless it is NULL */
  uint64_t mute;         /* bit 1 << type: commands that get no answer */
  bool keep_all;         /* keep every message */
  uint64_t feature_bits; /* KOP_PULSAR_SERVER_ */
  int32_t max_message;
  uint64_t topic_epoch;
  uint64_t commands; /* seen so far */
  uint64_t last_token;
  uint64_t messages; /* MESSAGE events so far */
  uint64_t receipts;
};

/* `config` may be NULL; its service URL is set unless it has one. Aborts if the session cannot be made, unless alloc may fail: then s is NULL. */
void fb_init(fb *f, const kop_pulsar_session_config *config);
void fb_config(kop_pulsar_session_config *config);
/* Frees session and broker. */
void fb_free(fb *f);

/* Lets session and broker talk until both are silent. */
void fb_run(fb *f);
/* The same while time passes, timer by timer. */
void fb_pass(fb *f, uint64_t ms);
/* Ends the connection as a network does. */
void fb_drop(fb *f, uint64_t conn);
void fb_drop_all(fb *f);
/* Completes the SENDs that `hold` kept open. */
void fb_sent_all(fb *f);

/* ---- between broker and embedder ---- */

/* Writes a line down. */
void fb_line(fb *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The connection, NULL if there is none. */
fb_conn *fb_find(fb *f, uint64_t id);
/* A command has come. */
void fb_serve(fb *f, const fb_command *c);

/* ---- what the broker says ---- */

void fb_reply(fb *f, uint64_t conn, const Kopi__BaseCommand *b);
void fb_raw(fb *f, uint64_t conn, const void *bytes, size_t len);
void fb_success(fb *f, uint64_t conn, uint64_t request);
void fb_error(fb *f, uint64_t conn, uint64_t request, int32_t error, const char *text);
void fb_lookup(fb *f, uint64_t conn, uint64_t request, int32_t kind, const char *url,
               bool authoritative, bool proxy);
void fb_producer_success(fb *f, uint64_t conn, uint64_t request, bool ready);
void fb_receipt(fb *f, uint64_t conn, uint64_t producer, uint64_t sequence, uint64_t ledger,
                uint64_t entry);
void fb_send_error(fb *f, uint64_t conn, uint64_t producer, uint64_t sequence, int32_t error);
void fb_close_producer(fb *f, uint64_t conn, uint64_t producer, const char *url);
void fb_close_consumer(fb *f, uint64_t conn, uint64_t consumer, const char *url);
void fb_challenge(fb *f, uint64_t conn, const char *data);
void fb_ping(fb *f, uint64_t conn);
/* One entry to a consumer, whatever it asked for. */
void fb_message(fb *f, uint64_t conn, uint64_t consumer, uint64_t ledger, uint64_t entry,
                kop_slice bytes);
/* Stores an entry of n messages without a producer. */
void fb_publish(fb *f, const char *topic, const char *payload, int32_t n);
/* Hands out what permits allow. */
void fb_dispatch_messages(fb *f);

/* ---- what is asked of the session ---- */

kop_slice fb_text(const char *text);
uint64_t fb_producer(fb *f, const char *topic, uint32_t mode);
uint64_t fb_reader(fb *f, const char *topic, uint32_t permits);
/* An entry of one message; context and sequence id are `sequence`. */
kop_status fb_send(fb *f, uint64_t producer, uint64_t sequence, const char *payload);
/* Such entries, all accepted and written. */
void fb_send_some(fb *f, uint64_t producer, uint64_t from, uint64_t to);
/*
 * Begins with fb_init(): a producer that is ready on connection 3, has sent the entries 1 to `sent`, and gets no answer to what it
 * sends. Nothing of it is left written down.
 */
uint64_t fb_silent_producer(fb *f, uint32_t mode, uint64_t sent);

/* ---- what is compared ---- */

/* Runs, then compares everything written down since the last call. Lines of PING and PONG are never written down. */
void fb_expect(fb *f, const char *lines);
/* Runs, and forgets what was written down. */
void fb_forget(fb *f);
/* Runs; whether some line since the last fb_expect or fb_forget contains the text. */
bool fb_saw(fb *f, const char *text);
/* How often it does. */
size_t fb_count(fb *f, const char *text);

#endif
