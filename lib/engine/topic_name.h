/* Kafka's rules for topic names. */
#ifndef KOPI_ENGINE_TOPIC_NAME_H
#define KOPI_ENGINE_TOPIC_NAME_H

#include <kop/base.h>
#include <stdbool.h>

/* NULL if the name is legal, else a sentence that says what is wrong. */
const char *kopi_topic_name_fault(kop_slice name);

/* Whether two names differ in nothing but dots and underscores: Kafka's metric names cannot tell them apart. */
bool kopi_topic_name_collides(kop_slice a, kop_slice b);

/* Whether Kafka calls a topic of that name internal, also when it does not exist. */
bool kopi_topic_name_is_internal(kop_slice name);

/* Whether it is the name of KRaft's own log, which nobody may create. */
bool kopi_topic_name_is_metadata_log(kop_slice name);

#endif
