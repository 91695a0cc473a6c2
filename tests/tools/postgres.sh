#!/usr/bin/env bash
# A throw-away PostgreSQL cluster of the tests' own, on a free loopback port.
#
#   postgres.sh start     make it and start it; does nothing when it runs already
#   postgres.sh url       print how to reach it
#   postgres.sh crash     kill -9 every process of it at once; the data stays
#   postgres.sh restart   crash, then start again on the same data and port, through recovery
#   postgres.sh halt      stop it; the data stays for the next start
#   postgres.sh stop      stop it and remove it with all its data
#   postgres.sh bindir    print where a usable PostgreSQL is, or fail
#
# PGNAME=x   a second cluster beside the first ("test" and "soak" are used by the scripts here)
# PGFAST=1   at start: no fsync. Never for a test about durability.
#
# The locale is ICU's en-US, because its order differs from the order of code points: a query that forgot
# COLLATE "C" answers as on SQLite under the C locale and is found out only here.
set -euo pipefail
cd "$(dirname "$0")/../.."
state=$PWD/.tools/pg-${PGNAME:-default} # two lines: the cluster's directory, its port
user=registry

fail() { printf 'postgres.sh: %s\n' "$*" >&2; exit 1; }

bindir() { # the newest PostgreSQL that knows --locale-provider (15 and later)
  local dir
  while read -r dir; do
    # A here-string, not a pipe: grep -q closing it early would fail initdb under pipefail.
    if [ -x "$dir/initdb" ] && grep -q -- --locale-provider <<<"$("$dir/initdb" --help 2>/dev/null)"; then
      printf '%s\n' "$dir"
      return
    fi
  done < <(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -rV
           dirname "$(command -v initdb 2>/dev/null || echo /none/initdb)")
  fail 'no PostgreSQL 15 or newer found: run tests/tools/install.sh'
}

# PostgreSQL refuses to run as root.
owner=$(id -un)
become=()
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  id "$owner" >/dev/null 2>&1 || owner=nobody
  become=(setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --clear-groups)
fi
as_owner() { # from a directory of its own: it may not be allowed to stand in ours
  (cd "$dir" && "${become[@]}" env HOME="$dir" "$@" </dev/null)
}

load() { # sets dir and port; false when there is no cluster
  [ -f "$state" ] && { read -r dir && read -r port; } <"$state" && [ -d "$dir/data" ]
}

running() { [ -f "$dir/data/postmaster.pid" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null; }

launch() { as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -s -o "-p $port" start; }

create() {
  # Not under the checkout, nor under root's own TMPDIR: the cluster's user may not be able to read those.
  dir=$(mktemp -d /tmp/registry-pg.XXXXXX)
  [ "$(id -u)" != 0 ] || chown "$owner" "$dir"
  as_owner "$bin/initdb" -D "$dir/data" -U "$user" --auth=trust --encoding=UTF8 \
    --locale=C --locale-provider=icu --icu-locale=en-US --no-instructions >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; rm -rf "$dir"; fail 'initdb failed'; }
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = ''"
    echo 'max_connections = 400'
    # Fewer checkpoints: the tests make and drop many databases.
    echo "max_wal_size = '1GB'"
    if [ "${PGFAST:-0}" = 1 ]; then
      printf '%s = off\n' fsync synchronous_commit full_page_writes
    fi
  } >>"$dir/data/postgresql.conf"
  # Below the range from which clients get their own ports, so that none takes ours while the cluster is down.
  for port in $(shuf -i 20000-31999 -n 20); do
    if launch; then
      mkdir -p .tools
      printf '%s\n' "$dir" "$port" >"$state"
      return
    fi
    grep -q 'Address already in use' "$dir/log" || break
  done
  cat "$dir/log" >&2
  rm -rf "$dir"
  fail 'PostgreSQL did not start'
}

crash() {
  local pid children
  running || return 0
  pid=$(head -n 1 "$dir/data/postmaster.pid")
  kill -STOP "$pid" # so that it starts no child while we count them
  children=$(ps -o pid= --ppid "$pid" | tr '\n' ' ')
  # shellcheck disable=SC2086 # a list of numbers; one may have ended by itself
  kill -KILL "$pid" $children 2>/dev/null || true
  # Until the last one is gone the shared memory is in use. A zombie holds nothing any more.
  for pid in $pid $children; do
    while kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ]; do sleep 0.01; done
  done
  # All are dead, as just seen; PostgreSQL would believe a zombie that init is slow to reap to be alive.
  rm -f "$dir/data/postmaster.pid"
}

verb=${1:-}
case $verb in
  bindir) bindir ;;
  url)
    load || fail 'there is no cluster: run postgres.sh start'
    printf 'postgres://%s@127.0.0.1:%s/postgres\n' "$user" "$port"
    ;;
  start)
    bin=$(bindir)
    if ! load; then create; elif ! running; then launch || { tail -n 20 "$dir/log" >&2; fail 'PostgreSQL did not start'; }; fi
    ;;
  crash | restart)
    bin=$(bindir)
    load || fail 'there is no cluster: run postgres.sh start'
    crash
    [ "$verb" = crash ] || launch || { tail -n 20 "$dir/log" >&2; fail 'PostgreSQL did not start'; }
    ;;
  halt)
    if load; then
      bin=$(bindir)
      ! running || as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w -s stop
    fi
    ;;
  stop)
    if load; then
      bin=$(bindir)
      # Nobody wants the data: immediate, without a checkpoint.
      ! running || as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w -s stop
      rm -rf "$dir"
    fi
    rm -f "$state"
    ;;
  *) fail 'usage: postgres.sh start|url|crash|restart|halt|stop|bindir' ;;
esac
