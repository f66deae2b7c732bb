/* The timer heap: a complete binary tree of intrusive nodes. */
#include "base/heap.h"

#include <string.h>

#include "base/assert.h"

static int fires_before(const kopi_timer *a, const kopi_timer *b) {
  if (a->deadline != b->deadline) return a->deadline < b->deadline;
  return a->order < b->order;
}

/* The pointer that leads to `t` from above. */
static kopi_timer **link_to(kopi_heap *h, kopi_timer *t) {
  if (t->parent == NULL) return &h->root;
  return &t->parent->child[t->parent->child[1] == t];
}

/* The pointer that holds node number `n` (or will hold it), and the node above it. */
static kopi_timer **place_of(kopi_heap *h, size_t n, kopi_timer **parent) {
  size_t bit = 1;
  while (bit <= n / 2)
    bit *= 2;
  kopi_timer **link = &h->root;
  *parent = NULL;
  for (bit /= 2; bit > 0; bit /= 2) {
    *parent = *link;
    link = &(*link)->child[(n & bit) != 0];
  }
  return link;
}

/* Hangs `t` with the children it has been given below `parent`. */
static void adopt(kopi_timer *t, kopi_timer *parent) {
  t->parent = parent;
  for (int i = 0; i < 2; i++) {
    if (t->child[i] != NULL) t->child[i]->parent = t;
  }
}

/* Exchanges a node with the one above it. */
static void swap_up(kopi_heap *h, kopi_timer *t) {
  kopi_timer *above = t->parent;
  int side = above->child[1] == t;
  kopi_timer *sibling = above->child[!side];
  *link_to(h, above) = t;
  kopi_timer *top = above->parent;
  above->child[0] = t->child[0];
  above->child[1] = t->child[1];
  t->child[side] = above;
  t->child[!side] = sibling;
  adopt(above, t);
  adopt(t, top);
}

static void sift_up(kopi_heap *h, kopi_timer *t) {
  while (t->parent != NULL && fires_before(t, t->parent))
    swap_up(h, t);
}

static void sift_down(kopi_heap *h, kopi_timer *t) {
  for (;;) {
    kopi_timer *next = t->child[0];
    if (next == NULL) return;
    if (t->child[1] != NULL && fires_before(t->child[1], next)) next = t->child[1];
    if (!fires_before(next, t)) return;
    swap_up(h, next);
  }
}

void kopi_heap_set(kopi_heap *h, kopi_timer *t, uint64_t deadline) {
  kopi_heap_cancel(h, t);
  kopi_timer *parent;
  kopi_timer **link = place_of(h, ++h->len, &parent);
  *t = (kopi_timer){.deadline = deadline, .order = ++h->last_order, .parent = parent};
  *link = t;
  sift_up(h, t);
}

void kopi_heap_cancel(kopi_heap *h, kopi_timer *t) {
  if (t->order == 0) return;
  KOPI_ASSERT(h->len > 0);
  kopi_timer *parent;
  kopi_timer **link = place_of(h, h->len--, &parent);
  kopi_timer *last = *link;
  *link = NULL;
  if (last != t) {
    /* The last node takes the place that falls free, then finds its own. */
    *link_to(h, t) = last;
    last->child[0] = t->child[0];
    last->child[1] = t->child[1];
    adopt(last, t->parent);
    sift_up(h, last);
    sift_down(h, last);
  }
  uint64_t deadline = t->deadline;
  *t = (kopi_timer){.deadline = deadline};
}

kopi_timer *kopi_heap_first(const kopi_heap *h) {
  return h->root;
}

kopi_timer *kopi_heap_pop_due(kopi_heap *h, uint64_t now) {
  kopi_timer *first = h->root;
  if (first == NULL || first->deadline > now) return NULL;
  kopi_heap_cancel(h, first);
  return first;
}

uint64_t kopi_heap_deadline(const kopi_heap *h) {
  return h->root == NULL ? UINT64_MAX : h->root->deadline;
}
