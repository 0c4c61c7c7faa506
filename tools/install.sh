#!/usr/bin/env bash
# Installs what `make build` built, as a service that does not start yet:
#
#   tools/install.sh [--dry-run] [--prefix DIR] [--binary FILE]
#
# The program goes to PREFIX/bin (/usr/local), the unit to /etc/systemd/system, and a config to
# /etc/hip3 if none is there: one that is there is never touched. Again is an update. DESTDIR goes
# before every path; with it no user is made and systemd is left alone, so that anybody can look at
# what comes out. --dry-run says every step and does none.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=/usr/local dry=no
binary=${CARGO_TARGET_DIR:-target}/release/hip3
destdir=${DESTDIR:-}
destdir=${destdir%/}

usage() {
    echo "install.sh: $1" >&2
    echo "usage: tools/install.sh [--dry-run] [--prefix DIR] [--binary FILE]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --binary) [ $# -ge 2 ] || usage "$1 needs a value" ;;&
        --prefix) prefix=${2%/} && shift ;;
        --binary) binary=$2 && shift ;;
        --dry-run) dry=yes ;;
        -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) usage "unknown argument $1" ;;
    esac
    shift
done
# It goes into the unit, which wants it whole and plain.
[[ $prefix =~ ^(/[A-Za-z0-9._+-]+)+$ ]] || usage "--prefix $prefix: expected an absolute path of plain characters"
[ -z "$destdir" ] || [[ $destdir = /* ]] || usage "DESTDIR=$destdir: expected an absolute path"

if [ $dry = no ]; then
    if [ ! -x "$binary" ]; then
        echo "install.sh: there is no $binary: make build" >&2
        exit 1
    fi
    if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then
        echo "install.sh: needs root, or DESTDIR" >&2
        exit 1
    fi
fi

step() {
    echo "+ $*"
    [ $dry = yes ] || "$@"
}

# A new file from one of ours, some words of it changed: TO FROM SED...
place() {
    local to=$1 from=$2 text
    shift 2
    echo "+ sed $* $from > $to"
    [ $dry = no ] || return 0
    text=$(sed "$@" "$from")
    printf '%s\n' "$text" | install -D -m 644 /dev/stdin "$to"
}

if [ -z "$destdir" ]; then
    if ! id hip3 >/dev/null 2>&1; then
        step useradd --system --user-group --home-dir /var/lib/hip3 --no-create-home --shell /usr/sbin/nologin hip3
    fi
    # The unit would make it too, but preflight comes before the first start.
    step install -d -o hip3 -g hip3 -m 750 /var/lib/hip3
fi
step install -D -m 755 "$binary" "$destdir$prefix/bin/hip3"
place "$destdir/etc/systemd/system/hip3.service" tools/systemd/hip3.service -e "s|/usr/local/bin/|$prefix/bin/|"
step install -d -m 700 "$destdir/etc/credstore"
config=$destdir/etc/hip3/config.toml
if [ -e "$config" ] || [ -L "$config" ]; then
    echo "  $config is there already, and stays as it is"
else
    # Absolute, so that a command that is run from elsewhere means the same directory.
    place "$config" config.toml \
        -e 's|^data_dir = "data/signals"|data_dir = "/var/lib/hip3/signals"|' \
        -e 's|^latency_dir = "data/latency"|latency_dir = "/var/lib/hip3/latency"|'
fi
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
    step systemctl daemon-reload
fi

cat <<TEXT

next:
  \$EDITOR /etc/hip3/config.toml            what to watch; what is wrong with it says
  $prefix/bin/hip3 check --config /etc/hip3/config.toml
  tools/tune-host.sh                       what this machine could do better
  systemctl enable --now hip3              observes; after an update: systemctl restart hip3
  journalctl -fu hip3                      what it says

to trade, as root (each file mode 600):
  /etc/credstore/hip3.agent.key            config: account.key_file = "/run/hip3/agent.key"
  /etc/credstore/hip3.dashboard.token      config: dashboard.token_file = "/run/hip3/dashboard.token"
  /etc/credstore/hip3.alert.url            config: alerts.url_file = "/run/hip3/alert.url"
  systemctl edit hip3                      [Service] and below it Environment=HIP3_ARGS=--live
TEXT
