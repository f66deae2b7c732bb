/* What kopd says on standard output once it accepts connections. */
#ifndef KOPD_BANNER_H
#define KOPD_BANNER_H

#include "server_state.h"

/* One line that begins with "kopd ready", then, indented, what is advertised and how to try it. */
void kopd_banner_print(kopd_server *s);

#endif
