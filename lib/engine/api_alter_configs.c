/* AlterConfigs: the configs given become all that the topic has of its own. */
#include "engine/alter.h"
#include "engine/api.h"

typedef kop_alter_configs_request_resource resource_request;
typedef kop_alter_configs_response_resource_response resource_response;

static void reply(kop_engine *e, kopi_gather *g, bool timed_out, kop_now now) {
  (void)timed_out; /* the request has no time-out */
  const kopi_alter *a = (const kopi_alter *)g;
  kop_alter_configs_response p;
  (void)kop_message_init(KOP_MSG_ALTER_CONFIGS_RESPONSE, &p, sizeof p);
  p.responses.ptr = kopi_answer_array(e, g->r, KOP_STRUCT_ALTER_CONFIGS_RESPONSE_RESOURCE_RESPONSE,
                                      a->items_len, sizeof(resource_response), now);
  if (p.responses.ptr == NULL) return;
  for (size_t i = 0; i < a->items_len; i++) {
    resource_response *to = &p.responses.ptr[p.responses.len++];
    to->error_code = a->items[i].error;
    to->error_message = a->items[i].message;
    to->resource_type = a->items[i].type;
    to->resource_name = a->items[i].name;
  }
  kopi_reply(e, g->r, KOP_MSG_ALTER_CONFIGS_RESPONSE, &p, sizeof p, now);
}

static bool take(kop_engine *e, kopi_request *r, const resource_request *from, kopi_alter_item *to,
                 kop_now now) {
  to->type = from->resource_type;
  to->name = from->resource_name;
  if (!kopi_alter_changes(e, r, to, from->configs.len, now)) return false;
  for (int32_t i = 0; i < from->configs.len; i++) {
    to->changes[i] = (kopi_alter_change){.name = from->configs.ptr[i].name,
                                         .value = from->configs.ptr[i].value,
                                         .op = KOPI_ALTER_SET};
  }
  return true;
}

void kopi_api_alter_configs(kop_engine *e, kopi_request *r, kop_now now) {
  kop_alter_configs_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_ALTER_CONFIGS_REQUEST, &q, sizeof q, now)) return;
  kopi_alter *a = kopi_request_alloc(e, r, 1, sizeof *a, now);
  if (a == NULL) return;
  kopi_gather_begin(&a->gather, r, -1, reply);
  a->replaces = true;
  a->validate_only = q.validate_only != 0;
  if (!kopi_alter_items(e, r, a, (size_t)q.resources.len, now)) return;
  for (int32_t i = 0; i < q.resources.len; i++) {
    if (!take(e, r, &q.resources.ptr[i], &a->items[i], now)) return;
  }
  kopi_alter_run(e, a, now);
}
