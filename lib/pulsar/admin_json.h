/* What the readers of admin answers share: a body as jansson's tree, members of it, texts carried over into the arena. */
#ifndef KOPI_PULSAR_ADMIN_JSON_H
#define KOPI_PULSAR_ADMIN_JSON_H

#include <kop/pulsar_admin.h>

#include <jansson.h>

#include "base/arena.h"

/*
 * The body of a successful answer. `root` NULL with KOP_OK: it is empty. KOP_ERR_STATE: not 2xx. The caller ends it with json_decref,
 * which takes NULL.
 */
kop_status kopi_admin_json_load(const kop_pulsar_admin_answer *answer, json_t **root);

/* The answer as this library knows it. KOP_ERR_INVALID. */
kop_status kopi_admin_answer_load(const kop_pulsar_admin_answer *from, kop_pulsar_admin_answer *to);

kop_status kopi_admin_copy(kopi_arena *arena, const void *bytes, size_t len, kop_slice *out);

/* A string; KOP_ERR_MALFORMED if it is something else. */
kop_status kopi_admin_string(kopi_arena *arena, json_t *from, kop_slice *out);

/* Members of an object. One that is missing or null leaves `out` as it is; one of another kind is KOP_ERR_MALFORMED. */
kop_status kopi_admin_member_int(json_t *object, const char *name, int64_t min, int64_t max,
                                 int64_t *out);
kop_status kopi_admin_member_real(json_t *object, const char *name, double *out);
kop_status kopi_admin_member_bool(json_t *object, const char *name, int32_t *out);
kop_status kopi_admin_member_string(kopi_arena *arena, json_t *object, const char *name,
                                    kop_slice *out);

/* A list of strings, and an object whose members are strings, numbers or booleans. NULL and null are empty. */
kop_status kopi_admin_strings(kopi_arena *arena, json_t *from, kop_pulsar_admin_strings *out);
kop_status kopi_admin_properties(kopi_arena *arena, json_t *from, kop_pulsar_admin_properties *out);

#endif
