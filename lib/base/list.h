/*
 * Doubly linked lists whose links live inside the objects. The head is a link too; an empty list points to itself.
 * KOPI_CONTAINER_OF (container.h) leads from a link to its object.
 */
#ifndef KOPI_BASE_LIST_H
#define KOPI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kopi_link {
  struct kopi_link *prev;
  struct kopi_link *next;
} kopi_link;

static inline void kopi_list_init(kopi_link *head) {
  head->prev = head;
  head->next = head;
}

static inline bool kopi_list_empty(const kopi_link *head) {
  return head->next == head;
}

static inline void kopi_list_append(kopi_link *head, kopi_link *link) {
  link->prev = head->prev;
  link->next = head;
  head->prev->next = link;
  head->prev = link;
}

/* Takes a link out of its list; one that is in none (zeroed, or taken out before) stays so. */
static inline void kopi_list_remove(kopi_link *link) {
  if (link->next == NULL) return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->prev = NULL;
  link->next = NULL;
}

/* The first link, NULL if there is none. */
static inline kopi_link *kopi_list_first(const kopi_link *head) {
  return head->next == head ? NULL : head->next;
}

#endif
