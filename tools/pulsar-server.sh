#!/usr/bin/env bash
# A real Apache Pulsar on 127.0.0.1, run from the distribution on Maven Central: what libkop speaks to.
#
#   tools/pulsar-server.sh start DIR PORT [VARIANT[,VARIANT...]]   returns when the broker is healthy, prints its ports
#   tools/pulsar-server.sh stop DIR                                a clean stop; the data stays in DIR
#   tools/pulsar-server.sh kill DIR                                kill -9
#   tools/pulsar-server.sh token DIR SUBJECT [SECONDS]             a token of that subject, for ever or for SECONDS
#   tools/pulsar-server.sh home                                    fetches the distribution, prints its folder
#
# One process: broker, bookie and metadata store. Starting again with the same DIR keeps the data; the variants may
# differ then. Everything that an instance writes is in DIR; its log is DIR/log. It takes these ports, and a free one
# for the bookie:
#
#   PORT     Pulsar's protocol                    PORT+2   the same over TLS (variant tls)
#   PORT+1   the admin's HTTP, or PULSAR_WEB      PORT+3   the admin's HTTPS (variant tls)
#
# Variants, of which several may be given:
#
#   plain           entries have an index, which consumers see: what docs/operations.md asks for. The default.
#   noindex         as Pulsar is shipped: no index
#   short-ledgers   a ledger ends after 50 entries; what no subscription and no retention holds is trimmed each second
#   token           token authentication and authorization. DIR/tokens/admin is a superuser's, DIR/tokens/user is of the
#                   subject `user`, which has no rights until it is given some, DIR/tokens/wrong is signed by another
#                   key, DIR/tokens/expired was good until 2001. An expired token is challenged within two seconds.
#   tls             TLS beside plain text. DIR/tls/ca.pem signs the server's certificate, which names localhost and
#                   127.0.0.1, no other host; DIR/tls/other-ca.pem signed nothing.
#
#   PULSAR_VERSION   4.0.8 by default
#   PULSAR_SET       more lines for the broker's configuration, for example PULSAR_SET=$'keepAliveIntervalSeconds=2'
#   PULSAR_JVM       more options for its Java machine
#   PULSAR_HEAP      heap of the process, 512m by default; as much again is allowed outside of the heap
#   KOP_CACHE        where downloads go, ~/.cache/libkop by default
set -euo pipefail

cache=${KOP_CACHE:-$HOME/.cache/libkop}
version=${PULSAR_VERSION:-4.0.8}

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

fail() {
  echo "pulsar-server: $*" >&2
  exit 1
}

# The distribution of one version: unpacked once, moved into place whole, so that a broken download is never taken
# for a complete one.
home() {
  local dir=$cache/pulsar/$version
  if [[ ! -d $dir/home ]]; then
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock 9
    if [[ ! -d $dir/home ]]; then
      echo "pulsar-server: fetching Pulsar $version from Maven Central into $dir" >&2
      rm -rf "$dir/new"
      mkdir "$dir/new"
      mvn -q -B -Dmaven.repo.local="$cache/m2" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        -Dartifact="org.apache.pulsar:pulsar-server-distribution:$version:tar.gz:bin" \
        -DoutputDirectory="$dir/new" >&2
      tar xzf "$dir/new/pulsar-server-distribution-$version-bin.tar.gz" -C "$dir/new"
      mv "$dir/new/apache-pulsar-$version" "$dir/home"
      rm -rf "$dir/new"
    fi
    exec 9>&-
  fi
  echo "$dir/home"
}

# HMAC-SHA256 tokens, as Pulsar's own tool makes them. Arguments: key file, subject, time of expiry or nothing.
token() {
  python3 - "$@" <<'END'
import base64, hashlib, hmac, json, pathlib, sys

key, subject, *expiry = sys.argv[1:]
claims = {"sub": subject} | ({"exp": int(expiry[0])} if expiry else {})
parts = ({"alg": "HS256"}, claims)
encode = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")
text = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
print((text + b"." + encode(hmac.digest(pathlib.Path(key).read_bytes(), text, hashlib.sha256))).decode())
END
}

tokens() {
  local dir=$1/tokens
  [[ ! -d $dir ]] || return 0
  mkdir -p "$dir"
  head -c 32 /dev/urandom >"$dir/secret.key"
  head -c 32 /dev/urandom >"$dir/other.key"
  token "$dir/secret.key" admin >"$dir/admin"
  token "$dir/secret.key" user >"$dir/user"
  token "$dir/other.key" admin >"$dir/wrong"
  token "$dir/secret.key" admin 1000000000 >"$dir/expired"
}

certificates() {
  local dir=$1/tls name
  [[ ! -d $dir ]] || return 0
  mkdir -p "$dir"
  {
    for name in ca other-ca; do
      openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$name of a test" \
        -keyout "$dir/$name.key" -out "$dir/$name.pem"
    done
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$dir/server.key" -out "$dir/server.csr"
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 3650 \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$dir/server.pem"
  } 2>"$dir/openssl.log" || { cat "$dir/openssl.log" >&2; exit 1; }
}

# The lines that go behind those of the distribution: of two lines with one name, the later one counts.
settings() {
  local dir=$1 port=$2 web=$3 variants=$4
  cat <<END

bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
listeningInterface=lo
brokerServicePort=$port
webServicePort=$web
managedLedgerNewEntriesCheckDelayInMillis=0
brokerDeleteInactiveTopicsEnabled=false
webSocketServiceEnabled=false
functionsWorkerEnabled=false
journalSyncData=false
numIOThreads=2
numHttpServerThreads=8
numOrderedExecutorThreads=2
numCacheExecutorThreadPoolSize=2
topicOrderedExecutorThreadNum=2
bookkeeperNumberOfChannelsPerBookie=2
bookkeeperClientNumWorkerThreads=2
managedLedgerCacheSizeMB=64
dbStorage_writeCacheMaxSizeMb=32
dbStorage_readAheadCacheMaxSizeMb=16
dbStorage_rocksDB_blockCacheSize=16777216
END
  if [[ $variants != *,noindex,* ]]; then
    local package=org.apache.pulsar.common.intercept
    echo "brokerEntryMetadataInterceptors=$package.AppendIndexMetadataInterceptor,$package.AppendBrokerTimestampMetadataInterceptor"
    echo "exposingBrokerEntryMetadataToClientEnabled=true"
  fi
  if [[ $variants == *,short-ledgers,* ]]; then
    echo "managedLedgerMaxEntriesPerLedger=50"
    echo "managedLedgerMinLedgerRolloverTimeMinutes=0"
    echo "retentionCheckIntervalInSeconds=1"
  else
    echo "defaultRetentionTimeInMinutes=-1"
    echo "defaultRetentionSizeInMB=-1"
  fi
  if [[ $variants == *,token,* ]]; then
    cat <<END
authenticationEnabled=true
authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken
authenticationRefreshCheckSeconds=1
authorizationEnabled=true
superUserRoles=admin
tokenSecretKey=file://$dir/tokens/secret.key
brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken
brokerClientAuthenticationParameters=file://$dir/tokens/admin
END
  fi
  if [[ $variants == *,tls,* ]]; then
    cat <<END
tlsEnabled=true
brokerServicePortTls=$((port + 2))
webServicePortTls=$((port + 3))
webServiceTlsProvider=SunJSSE
tlsCertificateFilePath=$dir/tls/server.pem
tlsKeyFilePath=$dir/tls/server.key
tlsTrustCertsFilePath=$dir/tls/ca.pem
brokerClientTrustCertsFilePath=$dir/tls/ca.pem
END
  fi
  echo "${PULSAR_SET:-}"
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

start() {
  local dir=$1 port=$2 variants=,${3:-plain}, web home heap=${PULSAR_HEAP:-512m} variant
  [[ $port =~ ^[0-9]+$ ]] || usage
  web=${PULSAR_WEB:-$((port + 1))}
  for variant in ${variants//,/ }; do
    [[ $variant =~ ^(plain|noindex|short-ledgers|token|tls)$ ]] || fail "there is no variant $variant"
  done
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [[ $dir != *[,[:space:]]* ]] || fail "a folder with a comma or a space in its name becomes two in a list of the bookie's"
  ! alive "$dir" || fail "the one in $dir runs already"
  home=$(home)
  rm -rf "$dir/tmp"
  mkdir -p "$dir/conf" "$dir/tmp"
  [[ $variants != *,token,* ]] || tokens "$dir"
  [[ $variants != *,tls,* ]] || certificates "$dir"
  { cat "$home/conf/standalone.conf" && settings "$dir" "$port" "$web" "$variants"; } >"$dir/conf/standalone.conf"
  logging >"$dir/conf/log4j2.properties"
  PULSAR_STANDALONE_CONF=$dir/conf/standalone.conf PULSAR_LOG_CONF=$dir/conf/log4j2.properties \
    PULSAR_LOG_DIR=$dir/tmp PULSAR_GC="-XX:+UseSerialGC -XX:-UsePerfData" PULSAR_GC_LOG=-Xlog:disable \
    PULSAR_MEM="-Xms128m -Xmx$heap -XX:MaxDirectMemorySize=$heap -Xlog:all=warning:stderr" \
    PULSAR_EXTRA_OPTS="-Djava.io.tmpdir=$dir/tmp -Dio.netty.recycler.maxCapacityPerThread=4096 ${PULSAR_JVM:-}" \
    setsid bash "$home/bin/pulsar" standalone --no-functions-worker --no-stream-storage \
    --bookkeeper-dir "$dir/bookie" --metadata-dir "$dir/metadata" \
    </dev/null >"$dir/log" 2>&1 &
  echo $! >"$dir/pid"
  await "$dir" "$web" "$variants"
  echo "pulsar $version ready: pulsar://127.0.0.1:$port http://127.0.0.1:$web$(
    [[ $variants != *,tls,* ]] || echo " pulsar+ssl://127.0.0.1:$((port + 2)) https://127.0.0.1:$((port + 3))"
  ) pid $(<"$dir/pid")"
}

# Whether the process of the pid file still is the one that was started from this folder: process ids are used again.
# Just after the start it is the shell that becomes the broker.
alive() {
  local command
  [[ -f $1/pid ]] && command=$(tr '\0' ' ' 2>/dev/null <"/proc/$(<"$1/pid")/cmdline") &&
    [[ $command == *" --metadata-dir $1/metadata "* ]]
}

await() {
  local dir=$1 web=$2 tries header=()
  [[ $3 != *,token,* ]] || header=(-H "Authorization: Bearer $(<"$dir/tokens/admin")")
  for ((tries = 0; tries < 1800; tries++)); do
    curl -sf -m 10 -o /dev/null "${header[@]}" "http://127.0.0.1:$web/admin/v2/brokers/health" && return
    if ! alive "$dir"; then
      echo "pulsar-server: it ended early, the end of $dir/log:" >&2
      tail -n 20 "$dir/log" >&2
      halt "$dir" KILL
      exit 1
    fi
    sleep 0.1
  done
  halt "$dir" KILL
  fail "not healthy within three minutes, see $dir/log"
}

halt() {
  local dir signal=$2 pid tries
  dir=$(cd "$1" && pwd)
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

verb=${1:-}
case $verb in
  start) (($# == 3 || $# == 4)) || usage; shift; start "$@" ;;
  stop) (($# == 2)) || usage; halt "$2" TERM ;;
  kill) (($# == 2)) || usage; halt "$2" KILL ;;
  token)
    (($# == 3 || $# == 4)) || usage
    token "$2/tokens/secret.key" "$3" ${4:+$(($(date +%s) + $4))}
    ;;
  home) (($# == 1)) || usage; home ;;
  *) usage ;;
esac
