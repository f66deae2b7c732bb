# What tools/pulsar-server.sh and tools/pulsar-cluster.sh have in common, for them to source: where Pulsar comes from, and
# processes of it. A process has a folder, in which are its conf/, its log, its pid and its tmp/.

cache=${KOP_CACHE:-$HOME/.cache/libkop}
version=${PULSAR_VERSION:-4.0.8}
name=$(basename "$0" .sh)

# Prints the comment that opens the script.
usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

fail() {
  echo "$name: $*" >&2
  exit 1
}

# The distribution of one version: made once, moved into place whole, so that a broken download is never taken for a
# complete one.
home() {
  local dir=$cache/pulsar/$version
  if [[ ! -d $dir/home ]]; then
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock 9
    if [[ ! -d $dir/home ]]; then
      echo "$name: fetching Pulsar $version from Maven Central into $dir" >&2
      rm -rf "$dir/new"
      mkdir "$dir/new"
      from_archive "$dir/new" || from_jars "$dir/new" || {
        cat "$dir/new/maven.log" >&2
        fail "there is no Pulsar $version"
      }
      mv "$dir/new/apache-pulsar-$version" "$dir/home"
      rm -rf "$dir/new"
    fi
    exec 9>&-
  fi
  echo "$dir/home"
}

maven() {
  mvn -q -B -Dmaven.repo.local="$cache/m2" "$@"
}

dependencies=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

from_archive() {
  maven "$dependencies:copy" -DoutputDirectory="$1" \
    -Dartifact="org.apache.pulsar:pulsar-server-distribution:$version:tar.gz:bin" >"$1/maven.log" 2>&1 &&
    tar xzf "$1/pulsar-server-distribution-$version-bin.tar.gz" -C "$1"
}

# Not every version's archive is there, though its jars are: these, with the scripts and configuration of 4.0.8.
from_jars() {
  local home=$1/apache-pulsar-$version base
  cat >"$1/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kop</groupId>
  <artifactId>pulsar</artifactId>
  <version>1</version>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>org.apache.pulsar</groupId>
        <artifactId>pulsar</artifactId>
        <version>$version</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
    </dependencies>
  </dependencyManagement>
  <dependencies>
    <dependency>
      <groupId>org.apache.pulsar</groupId>
      <artifactId>pulsar-broker</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-core</artifactId>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j2-impl</artifactId>
    </dependency>
  </dependencies>
</project>
END
  maven -f "$1/pom.xml" "$dependencies:copy-dependencies" -DincludeScope=runtime \
    -DoutputDirectory="$home/lib" >"$1/maven.log" 2>&1 || return 1
  base=$(version=4.0.8 && home) || return 1
  cp -r "$base"/{bin,conf,instances} "$home/"
}

# configure FILE WHERE: the distribution's configuration FILE with the settings of the input, which replace those of the
# same names. Behind each other they would do for Pulsar, where the later one counts, but not for a bookie.
configure() {
  mkdir -p "$(dirname "$2")"
  awk -F' *=' 'NR == FNR { if (NF > 1) { set[$1] = 1; text = text $0 "\n" } next }
    !($1 in set) { print }
    END { printf "%s", text }' - "$(home)/conf/$1" >"$2"
}

broker_settings() {
  local port=$1 web=$2
  cat <<END
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
brokerServicePort=$port
webServicePort=$web
managedLedgerNewEntriesCheckDelayInMillis=0
brokerDeleteInactiveTopicsEnabled=false
webSocketServiceEnabled=false
functionsWorkerEnabled=false
numIOThreads=2
numHttpServerThreads=8
numOrderedExecutorThreads=2
numCacheExecutorThreadPoolSize=2
topicOrderedExecutorThreadNum=2
bookkeeperNumberOfChannelsPerBookie=2
bookkeeperClientNumWorkerThreads=2
managedLedgerCacheSizeMB=64
END
}

bookie_settings() {
  cat <<END
listeningInterface=lo
journalSyncData=false
dbStorage_writeCacheMaxSizeMb=32
dbStorage_readAheadCacheMaxSizeMb=16
dbStorage_rocksDB_blockCacheSize=16777216
END
}

index_settings() {
  local package=org.apache.pulsar.common.intercept
  echo "brokerEntryMetadataInterceptors=$package.AppendIndexMetadataInterceptor,$package.AppendBrokerTimestampMetadataInterceptor"
  echo "exposingBrokerEntryMetadataToClientEnabled=true"
}

# What is worth reading in a test that failed; the distribution's own configuration writes many lines a second.
logging() {
  cat <<'END'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5level [%t] %logger{1}: %msg%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.broker.name = org.apache.pulsar.broker
logger.broker.level = info
logger.http.name = org.eclipse.jetty.server.RequestLog
logger.http.level = warn
END
}

# launch FOLDER HEAP COMMAND...: starts `bin/pulsar COMMAND...`.
launch() {
  local dir=$1 heap=$2 home
  shift 2
  home=$(home)
  rm -rf "$dir/tmp"
  mkdir -p "$dir/conf" "$dir/tmp"
  logging >"$dir/conf/log4j2.properties"
  local memory="-Xms64m -Xmx$heap -XX:MaxDirectMemorySize=$heap -Xlog:all=warning:stderr"
  local collector="-XX:+UseSerialGC -XX:-UsePerfData" collector_log=-Xlog:disable
  local options="-Djava.io.tmpdir=$dir/tmp -Dio.netty.recycler.maxCapacityPerThread=4096 ${PULSAR_JVM:-}"
  KOP_PULSAR_PROCESS=$dir PULSAR_LOG_CONF=$dir/conf/log4j2.properties PULSAR_LOG_DIR=$dir/tmp \
    PULSAR_MEM=$memory PULSAR_GC=$collector PULSAR_GC_LOG=$collector_log PULSAR_EXTRA_OPTS=$options \
    BOOKIE_MEM=$memory BOOKIE_GC=$collector BOOKIE_GC_LOG=$collector_log BOOKIE_EXTRA_OPTS=$options \
    setsid bash "$home/bin/pulsar" "$@" </dev/null >"$dir/log" 2>&1 &
  echo $! >"$dir/pid"
  # Until it has become `setsid`, it is a copy of this shell, which alive() does not know.
  while ! alive "$dir" && kill -0 $! 2>/dev/null; do
    sleep 0.01
  done
}

# Whether the process of the pid file still is the one that was started in this folder: process ids are used again.
alive() {
  [[ -f $1/pid ]] && grep -qsxzF "KOP_PULSAR_PROCESS=$1" "/proc/$(<"$1/pid")/environ"
}

# healthy FOLDER URL [OPTION OF CURL...]: waits until its HTTP answers; ends it if that takes too long.
healthy() {
  local dir=$1 url=$2
  shift 2
  become "$dir" curl -sf -m 10 -o /dev/null "$@" "$url"
}

# listening FOLDER PORT: waits until something listens there.
listening() {
  become "$1" bash -c ": 2>/dev/null </dev/tcp/127.0.0.1/$2"
}

# become FOLDER COMMAND...: waits until the command succeeds.
become() {
  local dir=$1 tries
  shift
  for ((tries = 0; tries < 1800; tries++)); do
    ! "$@" || return 0
    if ! alive "$dir"; then
      echo "$name: it ended early, the end of $dir/log:" >&2
      tail -n 20 "$dir/log" >&2
      rm -f "$dir/pid"
      return 1
    fi
    sleep 0.1
  done
  halt "$dir" KILL
  echo "$name: not healthy within three minutes, see $dir/log" >&2
  return 1
}

# halt FOLDER SIGNAL: sends it, and kills what has not ended in half a minute.
halt() {
  local dir=$1 signal=$2 pid tries
  if alive "$dir"; then
    pid=$(<"$dir/pid")
    kill -s "$signal" "$pid" || true
    for ((tries = 0; tries < 300; tries++)); do
      alive "$dir" || break
      sleep 0.1
    done
    ! alive "$dir" || kill -s KILL "$pid" || true
  fi
  rm -f "$dir/pid"
}
