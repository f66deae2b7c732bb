#!/usr/bin/env bash
# A real Apache Kafka on 127.0.0.1, run from the jars on Maven Central: what libkop is compared with.
#
#   tools/kafka-server.sh start VERSION PORT DIR [NODES]   returns when every broker takes requests
#   tools/kafka-server.sh stop DIR                         a clean stop; the data stays in DIR
#   tools/kafka-server.sh kill DIR                         kill -9
#   tools/kafka-server.sh lib VERSION                      fetches the jars, prints their folder (java -cp "$(...)/*")
#
# VERSION is a release of org.apache.kafka:kafka_2.13 with KRaft, for example 4.3.1 or 3.9.2. Brokers have the node
# ids 1 to NODES (1 by default, which may lead as controller too) and the ports PORT to PORT+NODES-1; the
# controller takes PORT+NODES. The log of node N is DIR/N/log. Starting again with the same DIR keeps the data.
#
#   KAFKA_SET    more lines for server.properties, for example KAFKA_SET=$'num.partitions=4\nlog.retention.ms=1000'
#   KAFKA_HEAP   heap of each broker, 512m by default
#   KOP_CACHE    where downloads go, ~/.cache/libkop by default
set -euo pipefail

cache=${KOP_CACHE:-$HOME/.cache/libkop}
cluster_id=a29wLWNsaWVudHMtdGVzdA

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

# The folder with the jars of one version: filled once, moved into place whole, so that a
# broken download is never taken for a complete one.
lib() {
  local version=$1 dir=$cache/kafka/$1
  if [[ ! -d $dir/lib ]]; then
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock 9
    if [[ ! -d $dir/lib ]]; then
      echo "kafka-server: fetching Kafka $version from Maven Central into $dir" >&2
      rm -rf "$dir/new"
      mkdir "$dir/new"
      {
        echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        echo '<groupId>kop</groupId><artifactId>kafka-server</artifactId><version>1</version><dependencies>'
        dependency org.apache.kafka:kafka_2.13:"$version"
        dependency org.apache.kafka:kafka-tools:"$version"
        dependency org.slf4j:slf4j-simple:1.7.36
        echo '</dependencies></project>'
      } >"$dir/new/pom.xml"
      mvn -q -B -f "$dir/new/pom.xml" -Dmaven.repo.local="$cache/m2" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DoutputDirectory="$dir/new/lib" >&2
      rm -f "$dir"/new/lib/slf4j-reload4j-*.jar # one binding is enough; slf4j-simple needs no file
      mv "$dir/new/lib" "$dir/lib"
      rm -rf "$dir/new"
    fi
    exec 9>&-
  fi
  echo "$dir/lib"
}

dependency() {
  local group artifact version
  IFS=: read -r group artifact version <<<"$1"
  echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
}

properties() {
  local node=$1 port=$2 nodes=$3 dir=$4 roles=broker listeners
  local controller=127.0.0.1:$((port + nodes))
  local address=127.0.0.1:$((port + node - 1))
  local internal_factor=$((nodes < 3 ? nodes : 3))
  listeners=PLAINTEXT://$address
  if ((node == 1)); then
    roles=broker,controller
    listeners+=,CONTROLLER://$controller
  fi
  cat <<END
process.roles=$roles
node.id=$node
controller.quorum.voters=1@$controller
controller.listener.names=CONTROLLER
listeners=$listeners
advertised.listeners=PLAINTEXT://$address
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/$node/data
offsets.topic.replication.factor=$internal_factor
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$internal_factor
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=30000
${KAFKA_SET:-}
END
}

start() {
  local version=$1 port=$2 dir=$3 nodes=${4:-1} jars node
  [[ $port =~ ^[0-9]+$ && $nodes =~ ^[1-9]$ ]] || usage
  jars=$(lib "$version")
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  for node in $(seq "$nodes"); do
    if alive "$dir/$node/pid"; then
      echo "kafka-server: node $node in $dir runs already" >&2
      exit 1
    fi
    mkdir -p "$dir/$node"
    properties "$node" "$port" "$nodes" "$dir" >"$dir/$node/server.properties"
    if [[ ! -d $dir/$node/data ]]; then
      java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" kafka.tools.StorageTool format \
        -t "$cluster_id" -c "$dir/$node/server.properties" >"$dir/$node/format.log" 2>&1 ||
        { cat "$dir/$node/format.log" >&2; exit 1; }
    fi
  done
  for node in $(seq "$nodes"); do
    setsid java -Xms"${KAFKA_HEAP:-512m}" -Xmx"${KAFKA_HEAP:-512m}" -XX:+UseG1GC \
      -Dorg.slf4j.simpleLogger.showDateTime=true '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS' \
      -cp "$jars/*" kafka.Kafka "$dir/$node/server.properties" </dev/null >"$dir/$node/log" 2>&1 9>&- &
    echo $! >"$dir/$node/pid"
  done
  for node in $(seq "$nodes"); do
    await "$dir" "$node"
  done
  echo "kafka $version ready on 127.0.0.1:$port, $nodes node(s)"
}

# Whether the process of a pid file still is the broker that was started from the folder of that file:
# process ids are used again.
alive() {
  local command
  [[ -f $1 ]] && command=$(tr '\0' ' ' 2>/dev/null <"/proc/$(<"$1")/cmdline") &&
    [[ $command == *" kafka.Kafka ${1%/pid}/server.properties "* ]]
}

await() {
  local dir=$1 node=$2 tries
  for ((tries = 0; tries < 600; tries++)); do
    grep -q 'Kafka Server started' "$dir/$node/log" && return
    if ! alive "$dir/$node/pid"; then
      echo "kafka-server: node $node ended early, the end of $dir/$node/log:" >&2
      tail -n 20 "$dir/$node/log" >&2
      halt "$dir" KILL
      exit 1
    fi
    sleep 0.1
  done
  echo "kafka-server: node $node did not start within a minute, see $dir/$node/log" >&2
  halt "$dir" KILL
  exit 1
}

# Brokers leave before the controller (node 1), which their clean stop needs.
halt() {
  local dir signal=$2 file pid tries
  dir=$(cd "$1" && pwd)
  for file in $(find "$dir" -mindepth 2 -maxdepth 2 -name pid | sort -r); do
    pid=$(<"$file")
    alive "$file" && kill -s "$signal" "$pid" || true
    for ((tries = 0; tries < 150; tries++)); do
      alive "$file" || break
      sleep 0.1
    done
    alive "$file" && kill -s KILL "$pid" || true
    rm -f "$file"
  done
}

verb=${1:-}
case $verb in
  start) (($# == 4 || $# == 5)) || usage; shift; start "$@" ;;
  stop) (($# == 2)) || usage; halt "$2" TERM ;;
  kill) (($# == 2)) || usage; halt "$2" KILL ;;
  lib) (($# == 2)) || usage; lib "$2" ;;
  *) usage ;;
esac
