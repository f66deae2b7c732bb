/*
 * Java's properties format, as far as server.properties files use it:
 *
 *     # comment, or ! comment
 *     name=value        name: value        name value
 *     name=a,\
 *          b            the line goes on; leading blanks of the next are dropped
 *
 * Blanks around the name and before the value go, those after it too (Kafka trims values). The
 * escapes \t \n \r \f \\ and \uXXXX (written as UTF-8) are known; any other escaped character
 * stands for itself.
 */
#include "properties.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A logical line: joined, still escaped. */
typedef struct line {
  char text[KOPD_VALUE_MAX * 2];
  size_t len;
  unsigned number; /* of its first physical line */
} line;

static int is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

/* Whether text ends in an odd number of backslashes. */
static int goes_on(const char *text, size_t len) {
  size_t slashes = 0;
  while (slashes < len && text[len - 1 - slashes] == '\\')
    slashes++;
  return slashes % 2 == 1;
}

/* Reads the next logical line that is no comment. Returns 1, 0 at the end, -1 if it is too long. */
static int next_line(FILE *file, line *out, unsigned *number) {
  char *physical = NULL;
  size_t cap = 0;
  ssize_t got = 0;
  int continued = 0;
  int result = 0;
  out->len = 0;
  while ((got = getline(&physical, &cap, file)) >= 0) {
    size_t len = (size_t)got;
    size_t start = 0;
    ++*number;
    while (len > 0 && (physical[len - 1] == '\n' || physical[len - 1] == '\r'))
      len--;
    while (start < len && is_blank(physical[start]))
      start++;
    if (!continued) {
      if (start == len || physical[start] == '#' || physical[start] == '!') continue;
      out->number = *number;
    }
    continued = goes_on(physical + start, len - start);
    size_t take = len - start - (size_t)continued;
    if (out->len + take >= sizeof out->text) {
      result = -1;
      goto out;
    }
    memcpy(out->text + out->len, physical + start, take);
    out->len += take;
    result = 1;
    if (!continued) goto out;
  }
out:
  free(physical);
  out->text[out->len] = '\0';
  return result;
}

static size_t put_utf8(char *out, unsigned code) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
  }
  out[0] = (char)(0xe0 | code >> 12);
  out[1] = (char)(0x80 | (code >> 6 & 63));
  out[2] = (char)(0x80 | (code & 63));
  return 3;
}

/* The four digits after \u, or -1. */
static int hex4(const char *text) {
  int code = 0;
  for (int i = 0; i < 4; i++) {
    char c = text[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

/*
 * Takes the escapes away in place; the result is never longer. Returns -1 for a \u without four
 * digits.
 */
static int unescape(char *text) {
  char *out = text;
  for (const char *in = text; *in != '\0'; in++) {
    if (*in != '\\' || in[1] == '\0') {
      *out++ = *in;
      continue;
    }
    in++;
    switch (*in) {
    case 't':
      *out++ = '\t';
      break;
    case 'n':
      *out++ = '\n';
      break;
    case 'r':
      *out++ = '\r';
      break;
    case 'f':
      *out++ = '\f';
      break;
    case 'u': {
      int code = hex4(in + 1);
      if (code <= 0) return -1;
      out += put_utf8(out, (unsigned)code);
      in += 4;
      break;
    }
    default:
      *out++ = *in;
    }
  }
  *out = '\0';
  return 0;
}

/* Cuts a logical line into name and value, both inside it. */
static void split(line *l, char **name, char **value) {
  char *p = l->text;
  *name = p;
  while (*p != '\0' && *p != '=' && *p != ':' && !is_blank(*p))
    p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
  char *name_end = p;
  while (is_blank(*p))
    p++;
  if (*p == '=' || *p == ':') {
    p++;
    while (is_blank(*p))
      p++;
  }
  *name_end = '\0';
  *value = p;
  char *end = l->text + l->len;
  while (end > p && is_blank(end[-1]))
    *--end = '\0';
}

int kopd_properties_read_file(kopd_properties *s, const char *path, char *err, size_t errcap) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    snprintf(err, errcap, "--config: %s: %s", path, strerror(errno));
    return -1;
  }
  line *l = malloc(sizeof *l);
  unsigned number = 0;
  int result = l == NULL ? -1 : 0;
  int more = 0;
  while (result == 0 && (more = next_line(file, l, &number)) != 0) {
    char where[512];
    char *name = NULL;
    char *value = NULL;
    snprintf(where, sizeof where, "%s line %u", path, more < 0 ? number : l->number);
    if (more < 0) {
      snprintf(err, errcap, "%s: the line is too long", where);
      result = -1;
      break;
    }
    split(l, &name, &value);
    if (unescape(name) != 0 || unescape(value) != 0) {
      snprintf(err, errcap, "%s: \\u takes four hexadecimal digits", where);
      result = -1;
      break;
    }
    result = kopd_properties_set(s, name, value, KOPD_FROM_FILE, where, err, errcap);
  }
  if (result == 0 && ferror(file)) {
    snprintf(err, errcap, "--config: %s: %s", path, strerror(errno));
    result = -1;
  }
  if (l == NULL) snprintf(err, errcap, "--config: no memory");
  free(l);
  fclose(file);
  return result;
}
