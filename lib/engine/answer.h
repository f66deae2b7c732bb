/*
 * What the handlers of the metadata and admin APIs share: building reply arrays, error texts, and gathering the answers of
 * several effects into one reply.
 *
 * A gather:   begin -> add, emit ... -> end -> (answers) -> reply once, at the last answer or at the request's time-out
 *
 * The request is pinned for each effect. After the time-out the effects go on; their answers are noted and change nothing.
 */
#ifndef KOPI_ENGINE_ANSWER_H
#define KOPI_ENGINE_ANSWER_H

#include "engine/request.h"
#include "engine/topic.h"

/* An array of `count` structs of a reply, each initialised; never NULL for want of elements. NULL: as kopi_request_alloc. */
void *kopi_answer_array(kop_engine *e, kopi_request *r, uint32_t struct_id, size_t count,
                        size_t size, kop_now now);

/* A text that lives as long as the request; without memory it is a shorter one. Never null. */
kop_slice kopi_answer_text(kopi_request *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For "%.*s" of a slice that a client sent: its length, bounded. */
int kopi_text_len(kop_slice text);

/* The Kafka error that an answer other than KOP_DONE means to a client. */
int16_t kopi_outcome_error(const kop_completion *c);

/* The same name as one before it in the request, or behind it. */
enum kopi_repeat { KOPI_REPEAT_NONE, KOPI_REPEAT_FIRST, KOPI_REPEAT_AGAIN };

/*
 * Marks names that stand several times: marks[i] is KOPI_REPEAT_FIRST for the first of them and _AGAIN for all others. `firsts`, if not NULL,
 * tells for each name where the first equal one stands. False: as kopi_request_alloc.
 */
bool kopi_find_repeats(kop_engine *e, kopi_request *r, const kop_slice *names, size_t count,
                       uint8_t *marks, size_t *firsts, kop_now now);

typedef struct kopi_gather kopi_gather;

struct kopi_gather {
  kopi_request *r;
  int64_t timeout_ms;
  uint32_t open; /* effects not answered, and one until kopi_gather_end */
  bool replied;
  /* Called once: what is not answered yet is REQUEST_TIMED_OUT if `timed_out`. Calls kopi_reply. */
  void (*reply)(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now);
};

/* `timeout_ms` below 0: none; else it runs from kopi_gather_end on. The gather lives in the request's arena. */
void kopi_gather_begin(kopi_gather *g, kopi_request *r, int64_t timeout_ms,
                       void (*reply)(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now));

/* An effect whose answer the reply waits for; NULL without memory. Fill its body, then kopi_op_emit. */
kopi_op *kopi_gather_op(kop_engine *e, kopi_gather *g, uint32_t kind, uint64_t target,
                        kopi_op_done *done, void *owner);

/* To be called at the end of each `done`. The request may be gone when it returns. */
void kopi_gather_answered(kop_engine *e, kopi_gather *g, kop_now now);

/* No more effects are added; replies now if none is open. The request may be gone when it returns. */
void kopi_gather_end(kop_engine *e, kopi_gather *g, kop_now now);

#endif
