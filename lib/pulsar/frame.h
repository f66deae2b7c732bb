/*
 * Frames of Pulsar's binary protocol, and the commands in them.
 *
 *   total size u32 | command size u32 | BaseCommand | tail
 *                  |<------------- total size ------------>|
 *
 * All integers are big-endian. SEND and MESSAGE have an entry as their tail (kop/pulsar_entry.h draws it), all others
 * have none. A frame is at most the broker's max_message_size and 10 KiB; over it the broker drops the connection.
 *
 * Commands are decoded and encoded by protobuf-c, but for three that each message costs: SEND is written, SEND_RECEIPT
 * and MESSAGE are read by hand. How a reader goes about it:
 *
 *   kopi_pulsar_frame_size      -> how long the frame is, from its first four bytes
 *   kopi_pulsar_frame_split     -> command and tail, once it is whole
 *   kopi_pulsar_command_peek    -> its type, and the bytes of its body
 *     SEND_RECEIPT, MESSAGE     -> kopi_pulsar_receipt_read, kopi_pulsar_delivery_read
 *     PING, PONG                -> nothing more to know
 *     a type unknown here       -> pass it over
 *     all others                -> kopi_pulsar_command_decode
 */
#ifndef KOPI_PULSAR_FRAME_H
#define KOPI_PULSAR_FRAME_H

#include <kop/pulsar_entry.h>

#include "base/buf.h"
#include "pulsar/gen/PulsarApi.pb-c.h"
#include "pulsar/proto_alloc.h"

enum {
  KOPI_PULSAR_FRAME_HEAD = 8, /* both sizes */
  KOPI_PULSAR_MAX_MESSAGE =
      5 * 1024 * 1024,                  /* a broker that does not say has this max_message_size */
  KOPI_PULSAR_FRAME_PADDING = 10 * 1024 /* what a frame may have above it */
};

/* A frame in memory. */
typedef struct kopi_pulsar_frame {
  kop_slice command; /* the BaseCommand */
  kop_slice tail;    /* what follows; empty for most */
} kopi_pulsar_frame;

/*
 * The size of the frame that begins at `bytes`, its first four bytes included, as soon as these are there. KOP_ERR_TRUNCATED
 * before that; KOP_ERR_LIMIT if it is above `max` (sizes count without the first four bytes, as the broker's limit does);
 * KOP_ERR_MALFORMED if it cannot hold a command.
 */
kop_status kopi_pulsar_frame_size(const uint8_t *bytes, size_t len, uint32_t max, size_t *size);

/* Cuts a whole frame of that size. KOP_ERR_MALFORMED if the command passes its end. */
kop_status kopi_pulsar_frame_split(const uint8_t *bytes, size_t size, kopi_pulsar_frame *out);

/* Appends the head of a frame and the command; `tail_len` bytes must follow it on the wire. The buffer's status, or KOP_ERR_LIMIT for a frame above 2^31. */
kop_status kopi_pulsar_frame_write(kopi_buf *out, const Kopi__BaseCommand *command,
                                   size_t tail_len);

/* The size of what kopi_pulsar_frame_write() appends. */
size_t kopi_pulsar_frame_head_size(const Kopi__BaseCommand *command);

/*
 * The type of a command and the bytes of its body. `body->ptr` is NULL when there is no body, or more than one to be
 * merged: kopi_pulsar_command_decode() then tells which. KOP_ERR_MALFORMED.
 */
kop_status kopi_pulsar_command_peek(kop_slice command, int32_t *type, kop_slice *body);

/*
 * Decodes a command with protobuf-c; it lives in the arena until the next decode. A type that is known here comes with its
 * body, but for PING and PONG, which may have none. KOP_ERR_MALFORMED, KOP_ERR_LIMIT, KOP_ERR_NOMEM.
 */
kop_status kopi_pulsar_command_decode(kopi_proto_arena *arena, kop_slice command,
                                      const Kopi__BaseCommand **out);

/* ---- by hand ------------------------------------------------------------------------------------ */

/* Reads a MessageIdData; the first chunk's id and the ack set are left out. KOP_ERR_MALFORMED. */
kop_status kopi_pulsar_message_id_read(kop_slice bytes, kop_pulsar_message_id *out);

/* CommandSendReceipt. */
typedef struct kopi_pulsar_receipt {
  uint64_t producer_id;
  uint64_t sequence_id;
  uint64_t highest_sequence_id;
  kop_pulsar_message_id
      id; /* KOP_PULSAR_EARLIEST twice when the broker had the message already, or says nothing */
} kopi_pulsar_receipt;

kop_status kopi_pulsar_receipt_read(kop_slice body, kopi_pulsar_receipt *out);

/* CommandMessage; the entry is the frame's tail. */
typedef struct kopi_pulsar_delivery {
  uint64_t consumer_id;
  uint64_t consumer_epoch; /* 0 when not said */
  kop_pulsar_message_id id;
  kop_pulsar_repeated
      ack_set; /* for kop_pulsar_int64_next(); a bit that is 0: that message of the batch was acknowledged */
  uint32_t redelivery_count;
} kopi_pulsar_delivery;

kop_status kopi_pulsar_delivery_read(kop_slice body, kopi_pulsar_delivery *out);

/* CommandSend. */
typedef struct kopi_pulsar_send {
  uint64_t producer_id;
  uint64_t sequence_id;
  uint64_t highest_sequence_id; /* 0: of a single message, not sent */
  uint64_t txnid_least_bits;    /* both 0: no transaction, not sent */
  uint64_t txnid_most_bits;
  int32_t num_messages; /* 1 is not sent */
  uint8_t is_chunk;
} kopi_pulsar_send;

/* Bytes of head and command of a SEND frame, whatever its numbers: room for any. */
enum { KOPI_PULSAR_SEND_MAX = KOPI_PULSAR_FRAME_HEAD + 2 + 2 + 5 * 11 + 11 + 2 };

/*
 * Writes the head of a frame and the SEND command; an entry of `entry_len` bytes must follow on the wire: what
 * kop_pulsar_entry_write() made, and the payload. Gives the number of bytes written, at most KOPI_PULSAR_SEND_MAX.
 */
size_t kopi_pulsar_send_write(const kopi_pulsar_send *send, size_t entry_len, uint8_t *out);

#endif
