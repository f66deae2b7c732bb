#!/usr/bin/env bash
# A small Apache Pulsar cluster on 127.0.0.1, from the distribution that tools/pulsar-server.sh fetches: two brokers, a
# proxy in front of them, a bookie and a ZooKeeper, each a process of its own.
#
#   tools/pulsar-cluster.sh start DIR PORT [VARIANT]   starts what does not run; returns when all of it is healthy
#   tools/pulsar-cluster.sh stop DIR [NAME...]         a clean stop of all, or of those named; the data stays in DIR
#   tools/pulsar-cluster.sh kill DIR [NAME...]         kill -9
#
# NAME is broker-a, broker-b, proxy, bookie or zookeeper; DIR/NAME has its configuration, its log and its pid. Ports:
#
#   PORT     broker a     PORT+2   broker b     PORT+4   the proxy     PORT+6   ZooKeeper
#   PORT+1   its HTTP     PORT+3   its HTTP     PORT+5   its HTTP      PORT+7   the bookie
#
# Both brokers give entries an index, as in the variant `plain` of tools/pulsar-server.sh. What VARIANT chooses is who
# places topics; neither moves a topic unasked.
#
#   modular      Pulsar's default. A broker that does not know the owner redirects; who is unloaded is told no new owner.
#   extensible   ExtensibleLoadManagerImpl. Any broker answers with the owner, and a moved topic's clients are told it.
#
#   PULSAR_VERSION (one whose whole distribution is on Maven Central), PULSAR_SET (for both brokers), PULSAR_JVM and KOP_CACHE
#   are as in tools/pulsar-server.sh.
set -euo pipefail
. "$(dirname "$0")/pulsar-common.sh"

parts=(proxy broker-b broker-a bookie zookeeper) # in the order in which they stop

metadata_settings() {
  echo "metadataStoreUrl=zk:127.0.0.1:$1"
  echo "configurationMetadataStoreUrl=zk:127.0.0.1:$1"
  # A dead broker's topics are free when its session has ended; a shorter time would end that of a busy one.
  echo "metadataStoreSessionTimeoutMillis=6000"
}

cluster_broker_settings() {
  local port=$1 web=$2 zookeeper=$3 variant=$4 package=org.apache.pulsar.broker.loadbalance
  broker_settings "$port" "$web"
  metadata_settings "$zookeeper"
  index_settings
  cat <<END
clusterName=test
defaultRetentionTimeInMinutes=-1
defaultRetentionSizeInMB=-1
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
loadBalancerSheddingEnabled=false
loadBalancerAutoBundleSplitEnabled=false
brokerShutdownTimeoutMs=10000
END
  case $variant in
    modular) echo "loadManagerClassName=$package.impl.ModularLoadManagerImpl" ;;
    extensible) echo "loadManagerClassName=$package.extensions.ExtensibleLoadManagerImpl" ;;
  esac
  echo "${PULSAR_SET:-}"
}

start_zookeeper() {
  local dir=$1/zookeeper port=$2
  mkdir -p "$dir/conf"
  cat >"$dir/conf/zookeeper.conf" <<END
clientPort=$port
clientPortAddress=127.0.0.1
dataDir=$dir/data
tickTime=1000
admin.enableServer=false
END
  PULSAR_ZK_CONF=$dir/conf/zookeeper.conf launch "$dir" 64m zookeeper
  listening "$dir" "$port"
}

initialize() {
  local dir=$1 port=$2 zookeeper=$3
  launch "$dir/initialize" 128m initialize-cluster-metadata --cluster test --metadata-store "zk:127.0.0.1:$zookeeper" \
    --configuration-metadata-store "zk:127.0.0.1:$zookeeper" --initial-num-stream-storage-containers 1 \
    --web-service-url "http://127.0.0.1:$((port + 1)),127.0.0.1:$((port + 3))" \
    --broker-service-url "pulsar://127.0.0.1:$port,127.0.0.1:$((port + 2))"
  wait $! || { tail -n 20 "$dir/initialize/log" >&2; fail "the cluster's metadata could not be written"; }
  rm -f "$dir/initialize/pid"
  touch "$dir/initialized"
}

start_bookie() {
  local dir=$1/bookie port=$2 zookeeper=$3
  {
    bookie_settings
    cat <<END
bookiePort=$port
advertisedAddress=127.0.0.1
metadataServiceUri=metadata-store:zk:127.0.0.1:$zookeeper
journalDirectory=$dir/journal
ledgerDirectories=$dir/ledgers
httpServerEnabled=false
autoRecoveryDaemonEnabled=false
statsProviderClass=org.apache.bookkeeper.stats.NullStatsProvider
END
  } | configure bookkeeper.conf "$dir/conf/bookkeeper.conf"
  PULSAR_BOOKKEEPER_CONF=$dir/conf/bookkeeper.conf launch "$dir" 256m bookie
  listening "$dir" "$port"
}

start_broker() {
  local dir=$1
  cluster_broker_settings "${@:2}" | configure broker.conf "$dir/conf/broker.conf"
  PULSAR_BROKER_CONF=$dir/conf/broker.conf launch "$dir" 384m broker
}

start_proxy() {
  local dir=$1/proxy port=$2 web=$3 zookeeper=$4 targets=$5
  {
    metadata_settings "$zookeeper"
    cat <<END
clusterName=test
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
servicePort=$port
webServicePort=$web
brokerProxyAllowedTargetPorts=$targets
numIOThreads=2
END
  } | configure proxy.conf "$dir/conf/proxy.conf"
  PULSAR_PROXY_CONF=$dir/conf/proxy.conf launch "$dir" 128m proxy
}

start() {
  local dir=$1 port=$2 variant=${3:-modular} web broker
  local proxy=$((port + 4)) zookeeper=$((port + 6))
  [[ $port =~ ^[0-9]+$ ]] || usage
  [[ $variant =~ ^(modular|extensible)$ ]] || fail "there is no variant $variant"
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [[ $dir != *[,[:space:]]* ]] || fail "a folder with a comma or a space in its name becomes two in a list of the bookie's"
  home >/dev/null
  started=$dir
  trap '[[ $? == 0 ]] || { disown -a; stop KILL "$started"; }' EXIT
  alive "$dir/zookeeper" || start_zookeeper "$dir" "$zookeeper"
  [[ -f $dir/initialized ]] || initialize "$dir" "$port" "$zookeeper"
  alive "$dir/bookie" || start_bookie "$dir" $((port + 7)) "$zookeeper"
  alive "$dir/broker-a" || start_broker "$dir/broker-a" "$port" $((port + 1)) "$zookeeper" "$variant"
  alive "$dir/broker-b" || start_broker "$dir/broker-b" $((port + 2)) $((port + 3)) "$zookeeper" "$variant"
  alive "$dir/proxy" || start_proxy "$dir" "$proxy" $((port + 5)) "$zookeeper" "$port,$((port + 2))"
  for broker in a:$((port + 1)) b:$((port + 3)); do
    web=http://127.0.0.1:${broker#*:}
    healthy "$dir/broker-${broker%:*}" "$web/admin/v2/brokers/health" || exit 1
  done
  healthy "$dir/proxy" "http://127.0.0.1:$((port + 5))/admin/v2/clusters" || exit 1
  echo "pulsar $version ready: pulsar://127.0.0.1:$port,127.0.0.1:$((port + 2)) http://127.0.0.1:$((port + 1))" \
    "http://127.0.0.1:$((port + 3)), through a proxy: pulsar://127.0.0.1:$proxy http://127.0.0.1:$((port + 5))"
}

# stop SIGNAL DIR [NAME...]
stop() {
  local signal=$1 dir part
  dir=$(cd "$2" && pwd)
  shift 2
  (($# > 0)) || set -- "${parts[@]}" initialize
  for part; do
    halt "$dir/$part" "$signal"
  done
}

verb=${1:-}
case $verb in
  start) (($# == 3 || $# == 4)) || usage; start "${@:2}" ;;
  stop) (($# >= 2)) || usage; stop TERM "${@:2}" ;;
  kill) (($# >= 2)) || usage; stop KILL "${@:2}" ;;
  *) usage ;;
esac
