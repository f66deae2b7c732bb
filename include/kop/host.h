/**
 * @file host.h
 * The callback face of the engine: a table of functions instead of a loop over effects.
 *
 * A thin layer over kop/engine.h for C programs; bindings use the effects themselves. For each kind of effect there
 * is one function. It either answers at once (fill the answer, return KOP_HOST_ANSWERED) or later
 * (KOP_HOST_LATER, and kop_engine_complete() with the effect's token). Kinds whose function is NULL are not
 * served, and the APIs that need them are not advertised.
 */
#ifndef KOP_HOST_H
#define KOP_HOST_H

#include <kop/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An engine and the functions it calls. */
typedef struct kop_host kop_host;

/** What a function of ::kop_host_ops returns. */
enum {
  KOP_HOST_LATER =
      0, /**< kop_engine_complete() will follow, from outside of kop_host_pump() or from inside a function. */
  KOP_HOST_ANSWERED = 1 /**< The answer is filled. */
};

/** Room for the answer to an effect; fill `outcome` and the result that belongs to the kind. Zeroed before each call. */
typedef struct kop_host_answer {
  size_t size;             /**< sizeof(kop_host_answer) in the library. */
  int32_t outcome;         /**< KOP_DONE (0) and so on. */
  int16_t kafka_error;     /**< With KOP_REJECTED. */
  uint16_t flags;          /**< KOP_COMPLETION_LENT, or 0. */
  kop_acquired acquired;   /**< ACQUIRE; its size is set. */
  kop_confirmed confirmed; /**< CONFIRM; its size is set. */
  kop_appended appended;   /**< APPEND; its size is set. */
  kop_read_result
      read; /**< READ; its size is set. What it points to must live until the function returns, lent bytes until RELEASE. */
  kop_listed listed;           /**< LIST_OFFSETS; its size is set. */
  kop_records_deleted deleted; /**< DELETE_RECORDS; its size is set. */
  kop_state_result state;      /**< STATE_GET; its size is set. */
  kop_producer_ids ids;        /**< ALLOCATE_PRODUCER_IDS; its size is set. */
} kop_host_answer;

/** A function that serves one kind of effect with a token. `effect` and its body are as in kop/effect.h. */
typedef int32_t (*kop_host_serve)(void *user_data, const kop_effect *effect,
                                  kop_host_answer *answer);

/** A function for a kind without a token. */
typedef void (*kop_host_tell)(void *user_data, const kop_effect *effect);

/** The functions. `send`, `close`, `recv_pause` and `recv_resume` must be given. */
typedef struct kop_host_ops {
  size_t size;         /**< sizeof(kop_host_ops) as the caller compiled it. */
  void *user_data;     /**< First argument of every function. */
  kop_host_serve send; /**< Body ::kop_send. */
  kop_host_tell close; /**< Body ::kop_conn_effect; kop_engine_conn_closed() may be called in it. */
  kop_host_tell recv_pause;    /**< Body ::kop_conn_effect. */
  kop_host_tell recv_resume;   /**< Body ::kop_conn_effect. */
  kop_host_serve acquire;      /**< Body ::kop_acquire. */
  kop_host_serve confirm;      /**< Body ::kop_confirm. */
  kop_host_serve resign;       /**< Body ::kop_confirm. */
  kop_host_serve append;       /**< Body ::kop_append. */
  kop_host_serve read;         /**< Body ::kop_read. */
  kop_host_tell release;       /**< No body; the token is that of a READ that was answered lent. */
  kop_host_serve list_offsets; /**< Body ::kop_list_offsets. */
  kop_host_serve delete_records;        /**< Body ::kop_delete_records. */
  kop_host_serve state_put;             /**< Body ::kop_state. */
  kop_host_serve state_get;             /**< Body ::kop_state. */
  kop_host_serve allocate_producer_ids; /**< Body ::kop_allocate_producer_ids. */
  kop_host_serve lookup_topic;          /**< Body ::kop_topic_ref. */
  kop_host_serve create_topic;          /**< Body ::kop_create_topic. */
  kop_host_serve delete_topic;          /**< Body ::kop_topic_ref. */
  kop_host_serve create_partitions;     /**< Body ::kop_create_partitions. */
  kop_host_serve alter_configs;         /**< Body ::kop_alter_configs. */
  kop_host_tell log;                    /**< Body ::kop_log_line. */
} kop_host_ops;

/**
 * Makes an engine that calls functions.
 *
 * @param ops     Copied; `user_data` must outlive the host.
 * @param config  As for kop_engine_new(); its `effects` is replaced by what `ops` serves.
 * @param now     The clocks.
 * @param host    Receives the handle; free it with kop_host_free(). NULL on failure.
 * @return KOP_OK; KOP_ERR_INVALID (a size, or a function that must be given is NULL); otherwise as kop_engine_new(). Since 0.1.
 */
KOP_API kop_status kop_host_new(const kop_host_ops *ops, const kop_engine_config *config,
                                kop_now now, kop_host **host);

/**
 * Frees the host and its engine. Open tokens need not be completed.
 *
 * @param host  May be NULL; must not be pumping. Never fails. Since 0.1.
 */
KOP_API void kop_host_free(kop_host *host);

/**
 * The engine, for everything but kop_engine_drain() and kop_engine_free().
 *
 * @param host  The host.
 * @return The engine, owned by the host. Never fails. Since 0.1.
 */
KOP_API kop_engine *kop_host_engine(kop_host *host);

/**
 * Calls the functions for all effects that wait, and for those that their answers bring. Call it after every other call that
 * takes a ::kop_now.
 *
 * @param host  The host.
 * @param now   The clocks, for the answers.
 * @return KOP_OK; KOP_ERR_STATE when called from inside one of the functions: the outer pump goes on with what there is;
 *         KOP_ERR_INVALID if some answer broke its contract (kop_engine_error_text() tells how). Since 0.1.
 */
KOP_API kop_status kop_host_pump(kop_host *host, kop_now now);

#ifdef __cplusplus
}
#endif

#endif
