/*
 * Prints the tables of docs/configuration.md: kopd's own settings, then the broker's and the
 * topic's of kop/config.h. The text comes from the tables that the program itself uses;
 * tests/kopd/test_docs.py keeps the page in step (and with --write brings it there).
 */
#include <kop/config.h>
#include <stdio.h>

#include "properties.h"

/* Text for a table's cell: a bar would end it. */
static void cell(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '|') putchar('\\');
    putchar(*text);
  }
}

static void own_settings(void) {
  const kopd_own_setting *s = NULL;
  puts("| setting | flag | default | what it does |\n| --- | --- | --- | --- |");
  for (size_t i = 0; (s = kopd_own_setting_at(i)) != NULL; i++) {
    printf("| `%s` | ", s->name);
    if (s->flag != NULL) {
      printf("`%s ", s->flag);
      cell(s->argument);
      printf("`");
    }
    printf(" | ");
    cell(s->default_value);
    printf(" | ");
    cell(s->doc);
    puts(" |");
  }
}

static const char *effect_word(int32_t effect) {
  switch (effect) {
  case KOP_CONFIG_ENFORCED:
    return "yes";
  case KOP_CONFIG_ACCEPTED:
    return "kept and shown";
  default:
    return "only its default";
  }
}

/* A name of Kafka's that kopd gives a default or a use of its own stands in kopd's table only. */
static void settings_of(int32_t scope) {
  kop_config_info info = {.size = sizeof info};
  puts("| setting | default | in force | what it does |\n| --- | --- | --- | --- |");
  for (uint32_t i = 0; kop_config_at(scope, i, &info) == KOP_OK; i++) {
    if (scope == KOP_CONFIG_BROKER && kopd_own_setting_named(info.name) != NULL) continue;
    printf("| `%s` | ", info.name);
    cell(info.default_value == NULL ? "null" : info.default_value);
    printf(" | %s | ", effect_word(info.effect));
    cell(info.doc);
    if (info.broker_name != NULL) printf(" The broker's default: `%s`.", info.broker_name);
    puts(" |");
  }
}

int main(void) {
  puts("### kopd's own settings\n");
  own_settings();
  puts("\n### Other broker settings, as Kafka names them\n");
  settings_of(KOP_CONFIG_BROKER);
  puts("\n### Topic settings\n");
  settings_of(KOP_CONFIG_TOPIC);
  return 0;
}
