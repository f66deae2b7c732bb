/* The layered list of settings; see properties.h. */
#include "properties.h"

#include <kop/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kop_slice slice_of(const char *text) {
  return (kop_slice){(const uint8_t *)text, strlen(text)};
}

static int is_broker_setting(const char *name) {
  kop_config_info info = {.size = sizeof info};
  return kop_config_find(KOP_CONFIG_BROKER, slice_of(name), &info) == KOP_OK;
}

int kopd_setting_exists(const char *name) {
  return kopd_own_setting_named(name) != NULL || is_broker_setting(name);
}

const kopd_property *kopd_properties_get(const kopd_properties *s, const char *name) {
  for (size_t i = 0; i < s->count; i++) {
    if (strcmp(s->items[i].name, name) == 0) return &s->items[i];
  }
  return NULL;
}

/* Puts a copy of text in *field; the old one stays if memory is refused. */
static int replace(char **field, const char *text) {
  char *copy = strdup(text);
  if (copy == NULL) return -1;
  free(*field);
  *field = copy;
  return 0;
}

static kopd_property *add(kopd_properties *s, const char *name) {
  if (s->count == s->cap) {
    size_t cap = s->cap == 0 ? 16 : s->cap * 2;
    kopd_property *items = realloc(s->items, cap * sizeof *items);
    if (items == NULL) return NULL;
    s->items = items;
    s->cap = cap;
  }
  kopd_property *item = &s->items[s->count];
  *item = (kopd_property){.name = strdup(name)};
  if (item->name == NULL) return NULL;
  s->count++;
  return item;
}

static int check(const char *name, const char *value, const char *where, char *err, size_t errcap) {
  if (strlen(value) > KOPD_VALUE_MAX) {
    snprintf(err, errcap, "%s: the value of %s is longer than %d bytes", where, name,
             KOPD_VALUE_MAX);
    return -1;
  }
  if (is_broker_setting(name)) {
    const char *reason = "";
    if (kop_config_check(KOP_CONFIG_BROKER, slice_of(name), slice_of(value), &reason) != KOP_OK) {
      snprintf(err, errcap, "%s: %s=%s: %s", where, name, value, reason);
      return -1;
    }
  } else if (kopd_own_setting_named(name) == NULL) {
    snprintf(err, errcap, "%s: there is no setting %s", where, name);
    return -1;
  }
  return 0;
}

int kopd_properties_set(kopd_properties *s, const char *name, const char *value, int from,
                        const char *where, char *err, size_t errcap) {
  if (check(name, value, where, err, errcap) != 0) return -1;
  kopd_property *item = (kopd_property *)kopd_properties_get(s, name);
  if (item == NULL) item = add(s, name);
  if (item == NULL) goto nomem;
  if (item->from > from) return 0;
  if (replace(&item->value, value) != 0 || replace(&item->where, where) != 0) goto nomem;
  item->from = from;
  return 0;
nomem:
  snprintf(err, errcap, "%s: no memory for %s", where, name);
  return -1;
}

/* KOP_SOCKET_REQUEST_MAX_BYTES names socket.request.max.bytes, KOP_LISTEN names --listen. */
static int variable_names(const char *variable, size_t len, const char *name) {
  size_t i = 0;
  for (; i < len && name[i] != '\0'; i++) {
    char want = name[i];
    if (want == '.' || want == '-')
      want = '_';
    else if (want >= 'a' && want <= 'z')
      want = (char)(want - 'a' + 'A');
    if (variable[i] != want) return 0;
  }
  return i == len && name[i] == '\0';
}

/* The setting that a variable (without KOP_) names, or NULL. */
static const char *setting_of_variable(const char *variable, size_t len) {
  const kopd_own_setting *own = NULL;
  for (size_t i = 0; (own = kopd_own_setting_at(i)) != NULL; i++) {
    if (variable_names(variable, len, own->name) ||
        (own->flag != NULL && variable_names(variable, len, own->flag + 2)))
      return own->name;
  }
  kop_config_info info = {.size = sizeof info};
  for (uint32_t i = 0; kop_config_at(KOP_CONFIG_BROKER, i, &info) == KOP_OK; i++) {
    if (variable_names(variable, len, info.name)) return info.name;
  }
  return NULL;
}

int kopd_properties_read_environment(kopd_properties *s, char *const *environ_, char *err,
                                     size_t errcap) {
  for (; *environ_ != NULL; environ_++) {
    const char *entry = *environ_;
    const char *equals = strchr(entry, '=');
    if (strncmp(entry, "KOP_", 4) != 0 || equals == NULL) continue;
    const char *name = setting_of_variable(entry + 4, (size_t)(equals - entry) - 4);
    if (name == NULL) continue;
    char where[128];
    snprintf(where, sizeof where, "environment %.*s", (int)(equals - entry), entry);
    if (kopd_properties_set(s, name, equals + 1, KOPD_FROM_ENVIRONMENT, where, err, errcap) != 0)
      return -1;
  }
  return 0;
}

void kopd_properties_free(kopd_properties *s) {
  for (size_t i = 0; i < s->count; i++) {
    free(s->items[i].name);
    free(s->items[i].value);
    free(s->items[i].where);
  }
  free(s->items);
  *s = (kopd_properties){0};
}
