/* A Pulsar session on libuv: what it asks for is done, what it tells of goes to one function of the program. */
#ifndef PULSAR_LOOP_H
#define PULSAR_LOOP_H

#include <kop/pulsar.h>

/* Makes the session; the environment's PULSAR_TOKEN is its token. NULL if the URL cannot be read. */
kop_pulsar_session *pulsar_open(const char *url);

/* Until the session was shut down and is idle. The program's exit status: 1 if pulsar_failed() was called. */
int pulsar_run(void (*on_event)(kop_pulsar_session *session, const kop_pulsar_effect *event));

/* Says on stderr what went wrong with what. */
void pulsar_failed(const char *why, kop_slice what);

kop_now pulsar_now(void);
kop_slice text_slice(const char *text);

#endif
