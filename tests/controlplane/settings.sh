# Sourced by the scripts of this folder and by tests/run: where things are, and how to fail.
# shellcheck shell=bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${AVIARY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aviary}
bin=$cache/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
need() { # need COMMAND "what to install"
  command -v "$1" >/dev/null || die "$1 is missing; $2"
}
# What tells one process from another that got the same number later: when it was started, in ticks since boot.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
alive() { # alive PID START
  [ -n "$2" ] && [ "$(started "$1")" = "$2" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}
