/* The two clocks an engine wants, read at one moment. */
#ifndef KOPD_CLOCK_H
#define KOPD_CLOCK_H

#include <kop/base.h>

kop_now kopd_now(void);

#endif
