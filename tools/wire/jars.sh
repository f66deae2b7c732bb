#!/usr/bin/env bash
# Fetches the Kafka jars that hold the message definitions and the reference codec from Maven Central.
#
#   tools/wire/jars.sh VERSION     prints the folder with the jars of that release, filling it once
#
# KOP_CACHE is where downloads go, ~/.cache/libkop by default.
set -euo pipefail

version=${1:?usage: tools/wire/jars.sh VERSION}
cache=${KOP_CACHE:-$HOME/.cache/libkop}
dir=$cache/wire/$version

if [[ ! -d $dir/lib ]]; then
  mkdir -p "$dir"
  exec 9>"$dir/lock"
  flock 9
  if [[ ! -d $dir/lib ]]; then
    echo "wire: fetching the jars of Kafka $version from Maven Central into $dir" >&2
    rm -rf "$dir/new"
    mkdir "$dir/new"
    {
      echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
      echo '<groupId>kop</groupId><artifactId>wire</artifactId><version>1</version><dependencies>'
      for artifact in kafka-clients kafka-group-coordinator kafka-transaction-coordinator; do
        echo "<dependency><groupId>org.apache.kafka</groupId><artifactId>$artifact</artifactId>"
        echo "<version>$version</version></dependency>"
      done
      echo '</dependencies></project>'
    } >"$dir/new/pom.xml"
    mvn -q -B -f "$dir/new/pom.xml" -Dmaven.repo.local="$cache/m2" \
      org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
      -DoutputDirectory="$dir/new/lib" >&2
    mv "$dir/new/lib" "$dir/lib"
    rm -rf "$dir/new"
  fi
  exec 9>&-
fi
echo "$dir/lib"
