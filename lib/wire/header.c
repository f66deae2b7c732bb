/*
 * Request and response headers.
 *
 *   request v0   api key 16, version 16, correlation id 32               ControlledShutdown v0 alone
 *   request v1   v0, client id string                                    requests that are not flexible
 *   request v2   v1, tagged fields                                       flexible requests
 *   response v0  correlation id 32                                       responses that are not flexible, and ApiVersions
 *   response v1  v0, tagged fields                                       all other flexible responses
 *
 * The client id has its old 16-bit length in every version.
 */
#include "base/endian.h"
#include "base/varint.h"
#include "wire/codec.h"

enum { FIXED_BYTES = 8, CONTROLLED_SHUTDOWN = 7, API_VERSIONS = 18 };

/* The tagged fields at the end of a header, none of which is known. */
static kop_status read_tags(const uint8_t *in, size_t len, size_t *offset, kop_slice *raw) {
  const uint8_t *end = in + len, *p = in + *offset;
  uint32_t count = 0, before = 0;
  const uint8_t *next = kopi_uvarint_read(p, end, &count);
  if (next == NULL) return kopi_varint_status(p, end, KOPI_VARINT_MAX);
  const uint8_t *first = p = next;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t tag = 0, size = 0;
    next = kopi_uvarint_read(p, end, &tag);
    if (next == NULL) return kopi_varint_status(p, end, KOPI_VARINT_MAX);
    if (i > 0 && tag <= before) return KOP_ERR_MALFORMED;
    before = tag;
    p = next;
    next = kopi_uvarint_read(p, end, &size);
    if (next == NULL) return kopi_varint_status(p, end, KOPI_VARINT_MAX);
    if (size > (size_t)(end - next)) return KOP_ERR_TRUNCATED;
    p = next + size;
  }
  if (count > 0 && raw != NULL) *raw = (kop_slice){first, (size_t)(p - first)};
  *offset = (size_t)(p - in);
  return KOP_OK;
}

static kop_status read_client_id(const uint8_t *in, size_t len, size_t *offset, kop_slice *out) {
  if (len - *offset < 2) return KOP_ERR_TRUNCATED;
  int16_t length = (int16_t)kopi_load_be16(in + *offset);
  *offset += 2;
  if (length < -1) return KOP_ERR_MALFORMED;
  if (length == -1) return KOP_OK;
  if ((size_t)length > len - *offset) return KOP_ERR_TRUNCATED;
  *out = (kop_slice){in + *offset, (size_t)length};
  *offset += (size_t)length;
  return KOP_OK;
}

/* 0 to 2; -1 when nothing is known behind the first eight bytes. */
static int request_header_version(const kop_request_header *h, const kopi_message *request) {
  if (request == NULL) return -1;
  if (!h->supported) {
    return h->api_key == API_VERSIONS && h->api_version > request->version_max ? 2 : -1;
  }
  if (h->api_key == CONTROLLED_SHUTDOWN && h->api_version == 0) return 0;
  return h->api_version >= request->flexible_from ? 2 : 1;
}

kop_status kop_request_header_decode(const uint8_t *in, size_t len, kop_request_header *out,
                                     size_t out_size) {
  if (out_size != sizeof *out) return KOP_ERR_INVALID;
  if (len < FIXED_BYTES) return KOP_ERR_TRUNCATED;
  kop_request_header h = {
      .size = sizeof h,
      .api_key = (int16_t)kopi_load_be16(in),
      .api_version = (int16_t)kopi_load_be16(in + 2),
      .correlation_id = (int32_t)kopi_load_be32(in + 4),
      .body_offset = FIXED_BYTES,
  };
  const kopi_message *request = NULL;
  if (kop_message_find(h.api_key, 0, &h.message_id) == KOP_OK) {
    request = kopi_message_get(h.message_id);
    h.known = 1;
    h.supported = kopi_message_layout(request, h.api_version) != NULL;
  }
  int version = request_header_version(&h, request);
  kop_status status = KOP_OK;
  if (version > 0) status = read_client_id(in, len, &h.body_offset, &h.client_id);
  if (version > 1 && status == KOP_OK) {
    status = read_tags(in, len, &h.body_offset, &h.unknown_tags);
  }
  if (status != KOP_OK) return status;
  h.header_version = version > 0 ? (uint8_t)version : 0;
  *out = h;
  return KOP_OK;
}

size_t kop_response_header_size(int16_t api_key, int16_t api_version) {
  uint32_t id;
  if (api_key == API_VERSIONS || kop_message_find(api_key, 1, &id) != KOP_OK) return 4;
  const kopi_message *response = kopi_message_get(id);
  if (kopi_message_layout(response, api_version) == NULL) return 4;
  return api_version >= response->flexible_from ? 5 : 4;
}

kop_status kop_response_header_encode(int16_t api_key, int16_t api_version, int32_t correlation_id,
                                      uint8_t *out, size_t cap, size_t *written) {
  *written = kop_response_header_size(api_key, api_version);
  if (cap < *written) return KOP_ERR_NO_SPACE;
  kopi_store_be32(out, (uint32_t)correlation_id);
  if (*written == 5) out[4] = 0;
  return KOP_OK;
}

kop_status kop_response_header_decode(int16_t api_key, int16_t api_version, const uint8_t *in,
                                      size_t len, int32_t *correlation_id, size_t *body_offset) {
  if (len < 4) return KOP_ERR_TRUNCATED;
  size_t offset = 4;
  if (kop_response_header_size(api_key, api_version) == 5) {
    kop_status status = read_tags(in, len, &offset, NULL);
    if (status != KOP_OK) return status;
  }
  *correlation_id = (int32_t)kopi_load_be32(in);
  *body_offset = offset;
  return KOP_OK;
}
