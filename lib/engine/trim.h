/*
 * Memory that is kept for reuse goes back when a second has passed without need of it.
 *
 * The engine keeps what it has used: blocks that frames land in, requests, READs. Each pool notes how little it held at its
 * emptiest; that much was not needed, and once a second it is freed. Under load the pools are empty at times and nothing is
 * freed, so nothing is allocated again; an engine at rest has given back all but a little after two seconds, and
 * then sets no timer.
 */
#ifndef KOPI_ENGINE_TRIM_H
#define KOPI_ENGINE_TRIM_H

#include "engine/engine.h"

/* Something may have been put into a pool: looks again in a second if there is anything to give back. */
void kopi_trim_watch(kop_engine *e, kop_now now);

#endif
