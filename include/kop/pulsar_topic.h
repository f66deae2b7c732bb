/**
 * @file pulsar_topic.h
 * Names of Pulsar topics: the short forms, the full one, and partitions.
 *
 *     persistent://tenant/namespace/local               the full name of a topic, partitioned or not
 *     persistent://tenant/namespace/local-partition-3   one partition of it, a topic of its own
 *     tenant/namespace/local                            short for persistent://...
 *     local                                             short for one in the default tenant and namespace
 */
#ifndef KOP_PULSAR_TOPIC_H
#define KOP_PULSAR_TOPIC_H

#include <kop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A topic's name in its parts. All slices borrow. */
typedef struct kop_pulsar_topic {
  kop_slice tenant;     /**< Letters, digits and "-=:._". */
  kop_slice name_space; /**< The namespace without its tenant, of the same characters. */
  kop_slice local;   /**< The name in the namespace, without the partition. Any text without '/'. */
  int32_t partition; /**< Of one partition its number, else -1. */
  int32_t is_persistent; /**< 1; 0 for non-persistent://. */
} kop_pulsar_topic;

/**
 * Takes a name apart.
 *
 * Only the last "-partition-N" counts, and only when N is a number as Pulsar writes it ("x-partition-03" is a local name).
 *
 * @param name        Any of the forms above; the parts borrow from it.
 * @param tenant      The default tenant, borrowed where it is used.
 * @param name_space  The default namespace, the same.
 * @param out         Filled.
 * @return ::KOP_OK; ::KOP_ERR_MALFORMED for what is no topic's name; ::KOP_ERR_UNSUPPORTED for Pulsar 1's names, with a cluster between
 *         tenant and namespace, and for a scheme other than persistent and non-persistent. Since 0.1.
 */
KOP_API kop_status kop_pulsar_topic_read(kop_slice name, kop_slice tenant, kop_slice name_space,
                                         kop_pulsar_topic *out);

/**
 * Writes the full name, without a zero at its end.
 *
 * @param topic  The parts. A partition of -1 names the topic itself.
 * @param out    Where to write.
 * @param cap    Room at `out`.
 * @param len    Receives the bytes of the name, also with ::KOP_ERR_NO_SPACE.
 * @return ::KOP_OK; ::KOP_ERR_NO_SPACE (nothing is written); ::KOP_ERR_INVALID for parts that kop_pulsar_topic_read() cannot have
 *         given. Since 0.1.
 */
KOP_API kop_status kop_pulsar_topic_write(const kop_pulsar_topic *topic, uint8_t *out, size_t cap,
                                          size_t *len);

#ifdef __cplusplus
}
#endif

#endif
