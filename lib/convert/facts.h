/*
 * The property kop.batch: what a Kafka batch says of itself beyond its records.
 *
 *    kop.batch = "1 pid=2001 epoch=0 seq=17 attr=16 leader=3 base=1700000000123 max=1700000000999"
 *
 * The first word is the version; fields follow in any order, each of them only if it has not its default, so that it is "1" for
 * the batch of a plain producer. Fields that a reader does not know are passed over, a version that it does not know
 * makes the entry a hole.
 */
#ifndef KOPI_CONVERT_FACTS_H
#define KOPI_CONVERT_FACTS_H

#include <kop/convert.h>

enum { KOPI_FACTS_MAX = 192 };

/* The defaults: no producer, nothing said. */
void kopi_facts_init(kop_convert_facts *facts);

/* Writes the value; `out` has KOPI_FACTS_MAX bytes. Gives its length. */
size_t kopi_facts_write(const kop_convert_facts *facts, uint8_t *out);

/* The name of the property. */
kop_slice kopi_facts_name(void);

#endif
