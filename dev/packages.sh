# shellcheck shell=bash
# Sourced by the scripts beside it: the one place that asks the system's package manager for something.
# Works with the bash 3.2 of macOS.

# Everything said to a person goes to stderr: stdout carries only the answer of a script.
say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# as_root COMMAND…: never asks for a password, so that nothing waits unseen for one.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

# install_packages "APT NAMES" "DNF NAMES" "BREW ARGUMENTS"
# Fails when there is no package manager it knows, no right to use it, or no such package.
# The names are split into words on purpose.
# shellcheck disable=SC2086
install_packages() {
  if command -v apt-get >/dev/null && can_be_root; then
    say "installing with apt-get: $1"
    # A fresh image has no package lists at all; a busy machine may hold apt's lock for a while.
    as_root env DEBIAN_FRONTEND=noninteractive sh -c '
      apt-get -q -o DPkg::Lock::Timeout=300 update &&
      apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"' sh $1 >&2
  elif command -v dnf >/dev/null && can_be_root; then
    say "installing with dnf: $2"
    as_root dnf install -y $2 >&2
  elif command -v brew >/dev/null; then
    say "installing with brew: $3"
    brew install $3 >&2
  else
    return 1
  fi </dev/null
}
