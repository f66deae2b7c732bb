/*
 * Topics that are created because somebody asked for them (auto.create.topics.enable).
 *
 * The request that asks is answered at once that the topic is unknown, as Kafka does; clients ask again and find it. One
 * CREATE_TOPIC is open per name, and a bounded number in all; what does not fit is created when it is asked for again.
 */
#ifndef KOPI_ENGINE_AUTO_CREATE_H
#define KOPI_ENGINE_AUTO_CREATE_H

#include "engine/engine.h"

/* Begins to create a topic that does not exist, if the settings, the name and the embedder allow it. */
void kopi_auto_create(kop_engine *e, kop_slice name);

/* Frees what open creations hold. */
void kopi_auto_create_free(kop_engine *e);

#endif
