#!/usr/bin/env bash
# A throw-away PostgreSQL for tests and measurements. It never touches a server it did not start.
#
#   dev/postgres.sh start [--durable]   starts it (or finds it running) and prints its URL as the last line
#   dev/postgres.sh stop                stops it and throws its data away
#   dev/postgres.sh run [--durable] VARIABLE command…
#                                       runs the command with the URL in VARIABLE and cleans up behind it;
#                                       if VARIABLE is set already, that server is used and none is started
#
# --durable is a second, separate cluster with the safe settings, for benchmarks and crash tests. The other one
# trades safety for speed, which is right only because a test's data may be lost.
# PG_BIN=/folder/with/initdb picks the version; otherwise the newest one found is used, or one is installed.
#
# Each clone of the repository has its own clusters in target/postgres/, each on a free port, so clones do not collide.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=dev/packages.sh
. "$root/dev/packages.sh"

# runuser and useradd live in sbin, which not every environment has on its PATH.
PATH=$PATH:/usr/sbin:/sbin

# ---------------------------------------------------------------------------------------------- the programs

has_server() { [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ]; }

# Sets `bin`. Debian keeps the server's programs off the PATH, and Homebrew often does; hence the list.
find_server() {
  local newest="" folder on_path
  if [ -n "${PG_BIN:-}" ]; then
    has_server "$PG_BIN" || die "PG_BIN is set to '$PG_BIN', which holds no PostgreSQL server (initdb, pg_ctl, postgres)"
    bin=$PG_BIN
    return 0
  fi
  for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
    /usr/local/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/latest/bin; do
    if has_server "$folder"; then
      newest=$(printf '%s\n' ${newest:+"$newest"} "$folder" | sort -V | tail -n 1)
    fi
  done
  on_path=$(command -v pg_ctl || true)
  for bin in "$newest" "${on_path%/*}" "$(pg_config --bindir 2>/dev/null || true)"; do
    if [ -n "$bin" ] && has_server "$bin"; then return 0; fi
  done
  return 1
}

require_server() {
  if find_server; then return 0; fi
  # On Fedora the extensions Parlour needs (pg_trgm, btree_gin) are a package of their own.
  install_packages postgresql "postgresql-server postgresql-contrib" postgresql@17 || true
  find_server || die "no PostgreSQL server found, and it could not be installed.
Install it by hand (Debian: apt-get install postgresql), or set PG_BIN to the folder with its programs.
make test also takes any server as TEST_DATABASE_URL, make bench as BENCH_DATABASE_URL."
}

# ---------------------------------------------------------------------------------------------- the user

# PostgreSQL refuses to run as root, so root lends the job to the user the package brought along.
# Sets `server_user`, empty when we are not root.
require_user() {
  server_user=""
  [ "$(id -u)" -eq 0 ] || return 0
  command -v runuser >/dev/null || die "PostgreSQL does not run as root, and there is no runuser to change the user with"
  server_user=postgres
  if ! id "$server_user" >/dev/null 2>&1; then
    server_user=parlour-postgres
    id "$server_user" >/dev/null 2>&1 || useradd --system --no-create-home --shell /bin/false "$server_user"
  fi
}

# In `/`, because the other user may not be allowed into the folder we stand in, and initdb insists on knowing it.
as_server() {
  if [ -n "$server_user" ]; then
    (cd / && exec runuser -u "$server_user" -- "$@")
  else
    (cd / && exec "$@")
  fi
}

# ---------------------------------------------------------------------------------------------- the cluster

# target/postgres/<kind> is the cluster, or holds a file `location` that says where the cluster is.
# Sets `state`, and `cluster` if there is one; fails otherwise.
find_cluster() {
  state=$root/target/postgres/$kind
  cluster=$state
  if [ -f "$state/location" ]; then cluster=$(cat "$state/location"); fi
  [ -f "$cluster/data/PG_VERSION" ]
}

# A server can live in a folder that its user may enter, whose name needs no quoting in its configuration, and that
# is short enough for a socket's path (103 bytes on macOS, 107 on Linux).
is_habitable() {
  [ "${#1}" -le 80 ] && [[ $1 =~ ^[A-Za-z0-9_./+-]+$ ]] && as_server test -w "$1"
}

# Sets `cluster`.
create_cluster() {
  local locale=C log
  discard_cluster
  mkdir -p "$state"
  if [ -n "$server_user" ]; then chown "$server_user" "$state"; fi
  cluster=$state
  if ! is_habitable "$state"; then
    # Not $TMPDIR: on macOS its path is too long for a socket.
    cluster=$(mktemp -d /tmp/parlour-postgres.XXXXXX)
    if [ -n "$server_user" ]; then chown "$server_user" "$cluster"; fi
    printf '%s\n' "$cluster" >"$state/location"
  fi
  # Not `grep -q`: leaving early, it would break the pipe, and with it this test.
  if locale -a 2>/dev/null | grep -iE '^C\.utf-?8$' >/dev/null; then locale=C.UTF-8; fi
  say "creating a PostgreSQL cluster in $cluster"
  if ! log=$(as_server "$bin/initdb" --pgdata="$cluster/data" --username=parlour --auth=trust --encoding=UTF8 \
    --locale="$locale" --no-sync 2>&1); then
    discard_cluster
    die "initdb failed:
$log"
  fi
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = '$cluster'"
    # The suite runs its tests side by side, each with pools of its own.
    echo "max_connections = 300"
    echo "timezone = 'UTC'"
    if [ "$kind" = fast ]; then
      echo "fsync = off"
      echo "synchronous_commit = off"
      echo "full_page_writes = off"
    else
      # As anyone would set it for ten million messages; the defaults are meant for a few megabytes.
      echo "shared_buffers = 1GB"
      echo "max_wal_size = 8GB"
    fi
  } >>"$cluster/data/postgresql.conf"
}

# Removes the files of a cluster that does not run. Only ever a folder we made ourselves.
discard_cluster() {
  case $cluster in
    "$state") ;;
    /tmp/parlour-postgres.*) rm -rf "$cluster" ;;
    *) say "leaving $cluster alone: not a folder of ours" ;;
  esac
  rm -rf "$state"
  cluster=$state
}

# Prints the process id of this cluster's server, or fails. A process that merely got the number of a server that
# crashed does not count, so its command line is compared too.
server_pid() {
  local pid arguments
  pid=$(head -n 1 "$cluster/data/postmaster.pid" 2>/dev/null) || return 1
  if [ -d /proc/self ]; then
    arguments=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  else
    arguments=$(ps -ww -o args= -p "$pid") || return 1
  fi
  case $arguments in
    *"$cluster/data"*) printf '%s\n' "$pid" ;;
    *) return 1 ;;
  esac
}

# ---------------------------------------------------------------------------------------------- the commands

psql_here() { as_server "$bin/psql" --no-psqlrc -h "$cluster" -p "$port" -U parlour -Atq "$@"; }

start() {
  local attempt
  require_server
  require_user
  find_cluster || create_cluster
  if server_pid >/dev/null; then
    port=$(sed -n 4p "$cluster/data/postmaster.pid")
  else
    rm -f "$cluster/data/postmaster.pid"
    # A port is free when the server can take it, so just try: asking first would leave a gap for somebody else.
    # Below 32768, where the ports of outgoing connections begin.
    for attempt in 1 2 3 4 5 6 7 8; do
      port=$((20000 + RANDOM % 12000))
      rm -f "$cluster/log"
      if as_server "$bin/pg_ctl" start -w -t 60 -D "$cluster/data" -l "$cluster/log" -o "-p $port" >/dev/null 2>&1; then
        break
      fi
      if [ "$attempt" = 8 ] || ! grep -q "Address already in use" "$cluster/log"; then
        die "PostgreSQL did not start:
$(tail -n 20 "$cluster/log")"
      fi
    done
    say "started PostgreSQL on port $port"
  fi
  # Also on a running server: an earlier start may have been interrupted just before this.
  if [ -z "$(psql_here -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'parlour'")" ]; then
    psql_here -d postgres -c "CREATE DATABASE parlour"
  fi
  if [ "$(psql_here -d parlour -c \
    "SELECT count(*) FROM pg_available_extensions WHERE name IN ('pg_trgm', 'btree_gin')")" != 2 ]; then
    stop
    die "this PostgreSQL lacks the extensions pg_trgm and btree_gin (on Fedora: dnf install postgresql-contrib)"
  fi
  url=postgres://parlour@127.0.0.1:$port/parlour
}

# Does nothing when there is no cluster.
stop() {
  find_cluster || return 0
  require_user
  if server_pid >/dev/null; then
    find_server || die "cannot stop PostgreSQL in $cluster: its programs are gone (PG_BIN names their folder)"
    as_server "$bin/pg_ctl" stop -w -m fast -D "$cluster/data" >/dev/null || die "PostgreSQL in $cluster did not stop"
    say "stopped PostgreSQL in $cluster"
  fi
  discard_cluster
}

run() {
  local variable=$1 status=0
  shift
  if [ -n "${!variable:-}" ]; then
    say "$variable is set: using that PostgreSQL"
    exec "$@"
  fi
  if find_cluster && server_pid >/dev/null; then
    start # somebody's `start`: theirs to stop
  else
    # Also after Ctrl-C. An interrupted command has heard the signal itself; we only wait for it and tidy up.
    trap stop EXIT
    trap : INT TERM HUP
    start
  fi
  export "$variable=$url"
  "$@" || status=$?
  exit "$status"
}

# Everything below `stop` also runs in an EXIT trap, where a bare `return` would mean the status of the script: hence
# the explicit `return 0` everywhere.
command=${1:-}
[ $# -eq 0 ] || shift
kind=fast
if [ "${1:-}" = --durable ]; then
  kind=durable
  shift
fi
case $command in
  start)
    start
    printf '%s\n' "$url"
    ;;
  stop)
    for kind in fast durable; do stop; done
    ;;
  run)
    [ $# -ge 2 ] || die "usage: dev/postgres.sh run [--durable] VARIABLE command…"
    run "$@"
    ;;
  *) die "usage: dev/postgres.sh start [--durable] | stop | run [--durable] VARIABLE command…" ;;
esac
