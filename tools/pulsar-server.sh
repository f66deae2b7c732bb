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
#   PULSAR_VERSION   4.0.8 by default; 4.2.4 is the newest one tried
#   PULSAR_SET       more lines for the broker's configuration, for example PULSAR_SET=$'keepAliveIntervalSeconds=2'
#   PULSAR_JVM       more options for its Java machine
#   PULSAR_HEAP      heap of the process, 512m by default; as much again is allowed outside of the heap
#   KOP_CACHE        where downloads go, ~/.cache/libkop by default
set -euo pipefail
. "$(dirname "$0")/pulsar-common.sh"

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

settings() {
  local dir=$1 port=$2 web=$3 variants=$4
  broker_settings "$port" "$web"
  bookie_settings
  [[ $variants == *,noindex,* ]] || index_settings
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

start() {
  local dir=$1 port=$2 variants=,${3:-plain}, web heap=${PULSAR_HEAP:-512m} variant
  [[ $port =~ ^[0-9]+$ ]] || usage
  web=${PULSAR_WEB:-$((port + 1))}
  for variant in ${variants//,/ }; do
    [[ $variant =~ ^(plain|noindex|short-ledgers|token|tls)$ ]] || fail "there is no variant $variant"
  done
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [[ $dir != *[,[:space:]]* ]] || fail "a folder with a comma or a space in its name becomes two in a list of the bookie's"
  ! alive "$dir" || fail "the one in $dir runs already"
  home >/dev/null
  [[ $variants != *,token,* ]] || tokens "$dir"
  [[ $variants != *,tls,* ]] || certificates "$dir"
  settings "$dir" "$port" "$web" "$variants" | configure standalone.conf "$dir/conf/standalone.conf"
  PULSAR_STANDALONE_CONF=$dir/conf/standalone.conf \
    launch "$dir" "$heap" standalone --no-functions-worker --no-stream-storage \
    --bookkeeper-dir "$dir/bookie" --metadata-dir "$dir/metadata"
  await "$dir" "$web" "$variants"
  echo "pulsar $version ready: pulsar://127.0.0.1:$port http://127.0.0.1:$web$(
    [[ $variants != *,tls,* ]] || echo " pulsar+ssl://127.0.0.1:$((port + 2)) https://127.0.0.1:$((port + 3))"
  ) pid $(<"$dir/pid")"
}

await() {
  local dir=$1 web=$2 header=()
  [[ $3 != *,token,* ]] || header=(-H "Authorization: Bearer $(<"$dir/tokens/admin")")
  # It makes its namespace after it has become healthy.
  healthy "$dir" "http://127.0.0.1:$web/admin/v2/brokers/health" "${header[@]}" || exit 1
  healthy "$dir" "http://127.0.0.1:$web/admin/v2/namespaces/public/default" "${header[@]}" || exit 1
}

verb=${1:-}
case $verb in
  start) (($# == 3 || $# == 4)) || usage; shift; start "$@" ;;
  stop) (($# == 2)) || usage; halt "$(cd "$2" && pwd)" TERM ;;
  kill) (($# == 2)) || usage; halt "$(cd "$2" && pwd)" KILL ;;
  token)
    (($# == 3 || $# == 4)) || usage
    token "$2/tokens/secret.key" "$3" ${4:+$(($(date +%s) + $4))}
    ;;
  home) (($# == 1)) || usage; home ;;
  *) usage ;;
esac
