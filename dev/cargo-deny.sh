#!/usr/bin/env bash
# Checks licences, bans, sources and advisories of the dependencies with cargo-deny. Where it is not installed it is built into
# target/tools once, which takes some minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
tools=${CARGO_TARGET_DIR:-$root/target}/tools
version=0.20.2

cd "$root"
if ! cargo deny --version >/dev/null 2>&1; then
  PATH=$tools/bin:$PATH
  if ! cargo deny --version >/dev/null 2>&1; then
    echo "building cargo-deny $version into $tools" >&2
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$tools/build \
      cargo install --quiet --debug --locked --root "$tools" "cargo-deny@$version"
    rm -rf "$tools/build"
  fi
fi
cargo deny check bans licenses sources
# The advisories come from a host of their own. Without it the other checks still hold.
if cargo deny fetch db; then
  cargo deny check --disable-fetch advisories
else
  echo 'The advisories are not checked: their database cannot be fetched.' >&2
fi
