# SPDX-License-Identifier: MIT
# Shared by the scripts of this folder: messages, the package list, running as root, stamps. Sourced by bash.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

step() { printf '==> %s\n' "$*" >&2; }

# fail MESSAGE: one line, status 1.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# packages_of GROUP...: the names of these groups in scripts/packages.txt.
packages_of() {
    local group
    for group in "$@"; do
        awk -v g="$group" '$1 == g { print $2 }' "$root/scripts/packages.txt"
    done
}

# missing_packages NAME...: those that dpkg does not know as installed.
missing_packages() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
    done
}

# install_packages GROUP...: installs what is missing, as root or by sudo; with neither it prints the line to run.
install_packages() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this script installs Debian packages and found no apt here; needed: $(packages_of "$@" | xargs)"
    local missing sudo=() log
    missing=$(missing_packages $(packages_of "$@") | xargs)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && ! [ -t 0 ]; }; then
            printf '%s: packages are missing and there is neither root nor sudo to install them; have this run once:\n' "${0##*/}" >&2
            printf 'apt-get install --no-install-recommends %s\n' "$missing" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    step "installing packages: $missing"
    log=$(mktemp)
    # A machine that was never updated, or long ago, does not know the packages or asks for versions that are gone.
    if ! apt_get "$log" install -y --no-install-recommends $missing &&
       ! { apt_get "$log" update && apt_get "$log" install -y --no-install-recommends $missing; }; then
        local why
        why=$(grep -m1 '^E:' "$log" || tail -n1 "$log")
        rm -f "$log"
        fail "apt-get install $missing: $why"
    fi
    rm -f "$log"
}

# apt_get LOG ARGUMENT...: apt-get as root (through the caller's `sudo`); shows every 20th step of what it does.
apt_get() {
    local log=$1
    shift
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" 2>&1 </dev/null | tee "$log" |
        awk '/^(Get:|Unpacking |Setting up )/ && ++n % 20 == 1 { print "    " substr($0, 1, 100) > "/dev/stderr" }'
}

# digest FILE-OR-TEXT...: one hash over the contents of the files and over the texts, for stamps.
digest() {
    local item
    for item in "$@"; do
        if [ -f "$item" ]; then cat "$item"; else printf '%s\n' "$item"; fi
    done | sha256sum | cut -d' ' -f1
}
