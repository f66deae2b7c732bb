/* What stands between the name of a partitioned topic and the number of a partition. */
#ifndef KOPI_PULSAR_TOPIC_NAME_H
#define KOPI_PULSAR_TOPIC_NAME_H

#include <kop/pulsar_topic.h>

#define KOPI_PULSAR_PARTITION_MARK "-partition-"

#endif
