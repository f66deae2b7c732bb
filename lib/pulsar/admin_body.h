/* The text of admin requests: percent-encoded paths and small JSON bodies, written into a kopi_buf. */
#ifndef KOPI_PULSAR_ADMIN_BODY_H
#define KOPI_PULSAR_ADMIN_BODY_H

#include <kop/pulsar_admin.h>

#include "base/buf.h"

void kopi_admin_put_text(kopi_buf *b, const char *text);

void kopi_admin_put_number(kopi_buf *b, int64_t number);

/* As one segment of a path: all but letters, digits and "-._~" is encoded, since the broker takes '+' for a blank. */
void kopi_admin_put_segment(kopi_buf *b, kop_slice text);

/* Kinds of body. */
enum {
  KOPI_ADMIN_NO_BODY = 0,
  KOPI_ADMIN_NUMBER,
  KOPI_ADMIN_SWITCH,      /* number as false or true */
  KOPI_ADMIN_AUTO_TOPICS, /* the same, as a policy */
  KOPI_ADMIN_PROPERTIES,
  KOPI_ADMIN_OPTIONAL_PROPERTIES, /* no body when there are none */
  KOPI_ADMIN_PARTITIONED,
  KOPI_ADMIN_TENANT,
  KOPI_ADMIN_LIST,
  KOPI_ADMIN_POSITION,
  KOPI_ADMIN_RESET,        /* a position, with the message in it */
  KOPI_ADMIN_SUBSCRIPTION, /* a position, with properties */
  KOPI_ADMIN_RETENTION,
  KOPI_ADMIN_INACTIVE
};

/* Writes the body and returns its content type, NULL when there is none. Text that is not UTF-8 sets the buffer's status to KOP_ERR_INVALID. */
const char *kopi_admin_put_body(kopi_buf *b, uint8_t kind, const kop_pulsar_admin_request *r);

#endif
