/**
 * @file kop.h
 * All of libkop's public headers.
 */
#ifndef KOP_KOP_H
#define KOP_KOP_H

#include <kop/base.h>
#include <kop/config.h>
#include <kop/convert.h>
#include <kop/effect.h>
#include <kop/engine.h>
#include <kop/event.h>
#include <kop/host.h>
#include <kop/json.h>
#include <kop/kafka_error.h>
#include <kop/messages.h>
#include <kop/offset.h>
#include <kop/pulsar.h>
#include <kop/pulsar_admin.h>
#include <kop/pulsar_effect.h>
#include <kop/pulsar_entry.h>
#include <kop/pulsar_topic.h>
#include <kop/record.h>
#include <kop/reflect.h>
#include <kop/store_test.h>
#include <kop/version.h>
#include <kop/wire.h>

#endif
