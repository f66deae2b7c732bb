#!/usr/bin/env bash
# Installs what the proofs against other languages need: real Kafka clients and Kafka itself. Does nothing for what
# is there and new enough. What Debian has comes from Debian; a newer Go and Node come through their own package
# registries into ${KOP_CACHE:-~/.cache/libkop}/toolchains, whose bin/ is to be first in PATH.
# Usage: tools/install-toolchains.sh [java|python|go|node|rust]...    (all of them by default)
set -euo pipefail

home=${KOP_CACHE:-$HOME/.cache/libkop}/toolchains
go_wanted=1.26.8
node_wanted=20
mkdir -p "$home/bin"
export PATH=$home/bin:$PATH

debian() {
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing: $*"
  $sudo apt-get update -q
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "$@"
}

# have PROGRAM FLAG LEAST: whether the program is there and says a version that is not below LEAST.
have() {
  local said
  said=$("$1" $2 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1) || return 1
  [ "$(printf '%s\n' "$3" "$said" | sort -V | head -n 1)" = "$3" ]
}

need_java() {
  { have java -version 17 && have javac -version 17; } || debian openjdk-17-jdk-headless
  have mvn -version 3.6 || debian maven
}

need_python() {
  python3 -c 'import ensurepip, venv' 2> /dev/null || debian python3-venv
}

# Go's own way to a newer Go: the toolchain is a module, which any older one can fetch and verify.
need_go() {
  have go version "${go_wanted%.*}" && return
  command -v go > /dev/null || debian golang-go
  echo "fetching Go $go_wanted"
  local module folder
  module=golang.org/toolchain@v0.0.1-go$go_wanted.linux-$(dpkg --print-architecture)
  folder=$home/gomod/$module
  GOFLAGS=-modcacherw GOMODCACHE=$home/gomod go mod download "$module"
  chmod -R +x "$folder/bin" "$folder/pkg/tool"
  ln -sf "$folder/bin/go" "$folder/bin/gofmt" "$home/bin/"
}

need_node() {
  have node --version "$node_wanted" && command -v npm > /dev/null && return
  command -v npm > /dev/null || debian nodejs npm
  have node --version "$node_wanted" && return
  echo "fetching Node $node_wanted"
  npm install --no-save --no-audit --no-fund --prefix "$home/node" "node@$node_wanted"
  ln -sf "$home/node/node_modules/node/bin/node" "$home/bin/"
}

# Debian's rustc is too old for today's crates; the one it builds its browsers with is not.
need_rust() {
  { have cargo --version 1.85 && have rustc --version 1.85; } && return
  debian rustc-web cargo-web gcc libc6-dev
  ln -sf /usr/bin/cargo /usr/bin/rustc "$home/bin/"
}

# Whoever fetches from a registry has to know whom to trust.
[ -e /etc/ssl/certs/ca-certificates.crt ] || debian ca-certificates
[ $# -gt 0 ] || set -- java python go node rust
for name in "$@"; do
  case $name in
  java | python | go | node | rust) need_$name ;;
  *) echo "usage: tools/install-toolchains.sh [java|python|go|node|rust]..." >&2; exit 2 ;;
  esac
done
