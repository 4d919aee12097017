# Functions for run and test: packages, the service user, building. Sourced by bash with `set -eu`.

say() { printf 'godwit: %s\n' "$*"; }
die() { printf 'godwit: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND...: as root, or through sudo when we are not.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n true 2>/dev/null || say "asking sudo for: $*"; sudo "$@"; fi
}

# packages PURPOSE...: the names that docker/packages lists for these purposes.
packages() {
    local purpose
    for purpose; do sed -n "s/^$purpose //p" "$top/docker/packages"; done
}

# install PURPOSE...: installs what is missing.
install() {
    local name missing=()
    for name in $(packages "$@"); do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "this needs Debian's apt-get; install yourself: ${missing[*]}"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "run me as root once, or install sudo; missing: ${missing[*]}"
    say "installing: ${missing[*]}"
    # Debian would make a PostgreSQL cluster of its own beside ours.
    local conf=/etc/postgresql-common/createcluster.conf
    if ! grep -qs '^ *create_main_cluster' "$conf"; then
        as_root mkdir -p "$(dirname "$conf")"
        echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
    fi
    local log; log=$(mktemp)
    if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
            -o Dpkg::Options::=--force-confold --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install: ${missing[*]} (the whole log is in $log)"
    fi
    rm -f "$log"
}

# service_user: makes the system user godwit when we are root.
service_user() {
    [ "$(id -u)" = 0 ] || return 0
    id godwit >/dev/null 2>&1 ||
        adduser --quiet --system --group --home /var/lib/godwit --no-create-home godwit >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir /var/lib/godwit --shell /usr/sbin/nologin godwit
}

# build PRESET [TARGET...]: configures and builds; the output is shown only when it fails.
build() {
    local preset=$1 log; shift
    log=$top/build/$preset.log
    { mkdir -p "$top/build" && touch "$log"; } 2>/dev/null ||
        die "$top/build cannot be written by $(id -un): was it built by somebody else? Remove it, or run me as they did"
    if ! { (cd "$top" && cmake --preset "$preset") && cmake --build "$top/build/$preset" ${1:+--target "$@"}; } >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        die "the build failed (the whole log is in $log)"
    fi
}
