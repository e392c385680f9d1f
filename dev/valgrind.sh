#!/usr/bin/env bash
# Sees to valgrind, which counts instructions for tests/costs. Where it cannot be had, says so and lets the tests go on without.
set -euo pipefail
# shellcheck source=dev/packages.sh
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# It counts only when it starts: on a system newer than itself it may not.
works() { valgrind --version >/dev/null 2>&1 && valgrind --tool=none true >/dev/null 2>&1; }

works && exit
# There is none for macOS on current machines.
[ "$(uname)" = Linux ] && install_packages valgrind valgrind valgrind || true
works || say 'Instructions are not checked: valgrind is not installed, and could not be (Debian: apt-get install valgrind).'
