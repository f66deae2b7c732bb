/*
 * The queue of effects and events.
 *
 *   tell -> [ news: oldest ... newest ] -> drain: show -> [ shown ] -> next drain: bury
 *
 * Telling a node that waits already moves it to the end: what it says is put together when it is shown, so the
 * latest state is told once, in the place of its latest change.
 */
#include <string.h>

#include "pulsar/session.h"

void kopi_ps_tell(kopi_ps *s, kopi_ps_node *node) {
  kopi_list_remove(&node->link);
  kopi_list_append(&s->news, &node->link);
}

void kopi_ps_untell(kopi_ps_node *node) {
  kopi_list_remove(&node->link);
}

void kopi_ps_bury(kopi_ps *s, kopi_ps_node *node) {
  kopi_list_remove(&node->link);
  kopi_list_append(&s->shown, &node->link);
}

void kopi_ps_bury_shown(kopi_ps *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->shown)) != NULL) {
    kopi_ps_node *node = KOPI_CONTAINER_OF(link, kopi_ps_node, link);
    kopi_list_remove(link);
    node->news->bury(s, node);
  }
  while (s->garbage != NULL) {
    kopi_ps_blob *next = s->garbage->next;
    kopi_free(&s->alloc, s->garbage);
    s->garbage = next;
  }
}

void kopi_ps_bury_news(kopi_ps *s) {
  kopi_link *link;
  while ((link = kopi_list_first(&s->news)) != NULL) {
    kopi_ps_node *node = KOPI_CONTAINER_OF(link, kopi_ps_node, link);
    kopi_list_remove(link);
    if (node->news->bury != NULL) node->news->bury(s, node);
  }
}

size_t kop_pulsar_drain(kop_pulsar_session *s, const kop_pulsar_effect **effects) {
  kopi_ps_bury_shown(s);
  s->lent_first = s->last_token + 1;
  s->lent_len = 0;
  size_t n = 0;
  kopi_link *link;
  while (n < s->cfg.max_effects && (link = kopi_list_first(&s->news)) != NULL) {
    kopi_ps_node *node = KOPI_CONTAINER_OF(link, kopi_ps_node, link);
    kopi_ps_untell(node);
    if (node->news->bury != NULL) kopi_ps_bury(s, node);
    kop_pulsar_effect *fx = &s->effects[n];
    kopi_ps_body *body = &s->bodies[n];
    memset(fx, 0, sizeof *fx);
    memset(body, 0, sizeof *body);
    node->news->show(s, node, fx, body);
    if (fx->kind == KOP_PULSAR_NONE) continue; /* it has become pointless since it was told */
    if (fx->body_size != 0) {
      fx->body = body;
      memcpy(body, &fx->body_size, sizeof fx->body_size);
    }
    n++;
  }
  *effects = s->effects;
  return n;
}

void kopi_ps_show_reason(kop_pulsar_effect *fx, kopi_ps_body *body, const kopi_ps_kept_why *why) {
  fx->body_size = sizeof body->reason;
  body->reason.outcome = why->outcome;
  body->reason.server_error = why->server_error;
  body->reason.text = kopi_ps_blob_slice(why->text);
}
