/*
 * Settings by name, before anybody reads meaning into them.
 *
 * A setting can be given four times over; the strongest place wins, and within one place the last:
 *
 *     flag  >  environment (KOP_...)  >  server.properties  >  default
 *
 * Which names exist: kopd's own (settings_table.c) and the broker settings of kop/config.h. Each
 * value remembers where it came from, so that a complaint can name the place.
 */
#ifndef KOPD_PROPERTIES_H
#define KOPD_PROPERTIES_H

#include <stddef.h>
#include <stdint.h>

/* Longest value that is accepted, in bytes. */
#define KOPD_VALUE_MAX 4096

/* Where a value was given, weakest first. */
enum { KOPD_FROM_FILE = 1, KOPD_FROM_ENVIRONMENT = 2, KOPD_FROM_FLAG = 3 };

/* A setting that kopd itself defines. All text is static. */
typedef struct kopd_own_setting {
  const char *name;          /* as in server.properties */
  const char *flag;          /* "--listen", or NULL */
  const char *argument;      /* what the flag takes, for --help */
  const char *default_value; /* as text, for --help and the documents */
  const char *doc;           /* one sentence */
} kopd_own_setting;

/* One value that was given. */
typedef struct kopd_property {
  char *name;
  char *value;
  char *where; /* "--set", "kopd.properties line 3", "environment KOP_STORE" */
  int from;    /* KOPD_FROM_ */
} kopd_property;

/* All values that were given, in order of their first mention. Zero it to start. */
typedef struct kopd_properties {
  kopd_property *items;
  size_t count;
  size_t cap;
} kopd_properties;

/* kopd's own settings; index from 0, NULL past the end. */
const kopd_own_setting *kopd_own_setting_at(size_t index);
/* By name in server.properties, or by flag; NULL if there is none. */
const kopd_own_setting *kopd_own_setting_named(const char *name);
const kopd_own_setting *kopd_own_setting_of_flag(const char *flag);

/* Whether the name is a setting of kopd's own or of kop/config.h. */
int kopd_setting_exists(const char *name);

/*
 * Notes a value. Returns 0, or -1 with one sentence in err: no such name, a value that the table
 * refuses, no memory. where is copied.
 */
int kopd_properties_set(kopd_properties *s, const char *name, const char *value, int from,
                        const char *where, char *err, size_t errcap);

/* The value that wins, or NULL. */
const kopd_property *kopd_properties_get(const kopd_properties *s, const char *name);

/*
 * Takes every KOP_... variable that names a setting; others (KOP_CACHE of the build) are left
 * alone. Returns as kopd_properties_set.
 */
int kopd_properties_read_environment(kopd_properties *s, char *const *environ_, char *err,
                                     size_t errcap);

/* Reads a file in Java's properties format. Returns as kopd_properties_set. */
int kopd_properties_read_file(kopd_properties *s, const char *path, char *err, size_t errcap);

void kopd_properties_free(kopd_properties *s);

#endif
