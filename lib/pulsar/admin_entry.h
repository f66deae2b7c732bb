/* Headers of admin answers. */
#ifndef KOPI_PULSAR_ADMIN_ENTRY_H
#define KOPI_PULSAR_ADMIN_ENTRY_H

#include <kop/pulsar_admin.h>

/* The value of a header, its name given in small letters; 0 when it is not there. */
uint8_t kopi_admin_header(const kop_pulsar_admin_answer *a, const char *name, kop_slice *value);

#endif
