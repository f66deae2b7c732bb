/*
 * ApiVersions: what this node serves.
 *
 * A version that is not served is answered in version 0 with UNSUPPORTED_VERSION and the versions of this one API, so that the
 * client can choose another one (KIP-511). A client that names itself must do so in letters, digits, dots and dashes (KIP-511), and one that
 * knows whom it wants to talk to says so (KIP-1242) and is told if it has reached somebody else.
 */
#include "engine/answer.h"
#include "engine/api.h"

typedef kop_api_versions_response_api_version api_version;

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_name(kop_slice s) {
  for (size_t i = 0; i < s.len; i++) {
    uint8_t c = s.ptr[i];
    bool inner = c == '-' || c == '.';
    bool outer = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!outer && !(inner && i > 0 && i + 1 < s.len)) return false;
  }
  return s.len > 0;
}

/* 0, or why the client is not given the list it asked for. */
static int16_t fault(const kop_engine *e, const kopi_request *r,
                     const kop_api_versions_request *q) {
  if (r->version >= 3 &&
      !(is_software_name(q->client_software_name) && is_software_name(q->client_software_version)))
    return KOP_KAFKA_INVALID_REQUEST;
  if (r->version < 5) return 0;
  bool names_cluster = q->cluster_id.ptr != NULL;
  if (names_cluster != (q->node_id != -1)) return KOP_KAFKA_INVALID_REQUEST;
  if (!names_cluster) return 0;
  bool is_me = kopi_slice_equal(q->cluster_id, e->cfg.cluster_id) && q->node_id == e->cfg.node_id;
  return is_me ? 0 : KOP_KAFKA_REBOOTSTRAP_REQUIRED;
}

static void answer(kop_engine *e, kopi_request *r, int16_t error, kop_now now) {
  kop_api_versions_response p;
  (void)kop_message_init(KOP_MSG_API_VERSIONS_RESPONSE, &p, sizeof p);
  p.error_code = error;
  size_t count = 0;
  while (kopi_api_at(count) != NULL)
    count++;
  p.api_keys.ptr = kopi_answer_array(e, r, KOP_STRUCT_API_VERSIONS_RESPONSE_API_VERSION, count,
                                     sizeof(api_version), now);
  if (p.api_keys.ptr == NULL) return;
  for (size_t i = 0; i < count; i++) {
    const kopi_api *api = kopi_api_at(i);
    bool told = error != KOP_KAFKA_UNSUPPORTED_VERSION || api->key == r->api_key;
    if (!told || !kopi_serves(e, api->needs)) continue;
    api_version *to = &p.api_keys.ptr[p.api_keys.len++];
    to->api_key = api->key;
    to->min_version = api->min;
    to->max_version = api->max;
  }
  /* Kafka's features (group.version, transaction.version, ...) stand for protocols that are not served: none is named. */
  if (error == 0 && r->version >= 3) p.finalized_features_epoch = 0;
  kopi_reply(e, r, KOP_MSG_API_VERSIONS_RESPONSE, &p, sizeof p, now);
}

void kopi_api_api_versions(kop_engine *e, kopi_request *r, kop_now now) {
  kop_api_versions_request q;
  if (!kopi_request_decode(e, r, KOP_MSG_API_VERSIONS_REQUEST, &q, sizeof q, now)) return;
  answer(e, r, fault(e, r, &q), now);
}

void kopi_api_versions_unsupported(kop_engine *e, kopi_request *r, kop_now now) {
  r->version = 0; /* of the reply */
  answer(e, r, KOP_KAFKA_UNSUPPORTED_VERSION, now);
}
