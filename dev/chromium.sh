#!/usr/bin/env bash
# Prints the path of a Chromium or Chrome for the browser test, installing one when there is none.
# CHROMIUM=/path/to/browser overrides the search.
set -euo pipefail
# shellcheck source=dev/packages.sh
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# A browser counts only when it starts: on Ubuntu `chromium-browser` can be an empty shell around a snap.
find_browser() {
  local candidate path
  for candidate in chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if path=$(command -v "$candidate") && "$path" --version >/dev/null 2>&1; then
      printf '%s\n' "$path"
      return 0
    fi
  done
  return 1
}

if [ -n "${CHROMIUM:-}" ]; then
  command -v "$CHROMIUM" || die "CHROMIUM is set to '$CHROMIUM', which is not a program"
  exit
fi

find_browser && exit
# Ubuntu has no `chromium` package, only the snap behind `chromium-browser`.
apt_name=chromium
if grep -qs '^ID=ubuntu' /etc/os-release; then apt_name=chromium-browser; fi
install_packages "$apt_name" chromium "--cask google-chrome" || true
find_browser || die "no Chromium or Chrome found, and it could not be installed.
Install either by hand, or set CHROMIUM=/path/to/the/browser."
