/*
 * What the metrics address answers:
 *
 *     GET  /metrics            Prometheus text
 *     GET  /health             200 while every node serves, else 503 and which does not
 *     POST /nodes/ID/stop      202; only with node.control=on
 *     POST /nodes/ID/start     202; likewise
 */
#ifndef KOPD_CONTROL_H
#define KOPD_CONTROL_H

#include "http.h"

/* A kopd_http_handler; user_data is the kopd_server. */
int kopd_control_answer(void *user_data, const kopd_http_request *request, kopd_text *body,
                        const char **content_type);

#endif
