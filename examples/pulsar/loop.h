/* A Pulsar session on libuv: what it asks for is done, what it tells of goes to one function of the program. */
#ifndef PULSAR_LOOP_H
#define PULSAR_LOOP_H

#include <kop/pulsar.h>
#include <uv.h>

typedef void pulsar_event_fn(kop_pulsar_session *session, const kop_pulsar_effect *event);

/* Makes the session; the environment's PULSAR_TOKEN is its token. NULL if the URL cannot be read. */
kop_pulsar_session *pulsar_loop_open(const char *url, pulsar_event_fn *on_event);
void pulsar_loop_turn(void); /* to be called after calls from elsewhere than an event */
void pulsar_loop_run(void);  /* until the session is shut down */
kop_now pulsar_now(void);
kop_slice text_slice(const char *text);

#endif
