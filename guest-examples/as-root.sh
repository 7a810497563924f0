#!/bin/sh
# Runs a command as root: `as-root.sh REASON COMMAND [ARGUMENT…]`.
#
# As root the command just runs. With CI=true, which continuous integration sets, it
# runs through `sudo -n`, which never asks for a password. A person at a terminal is
# asked first. Everybody else gets the command to type. Where the command was not run,
# the exit code is 77.
set -eu

reason=$1
shift

if [ "$(id -u)" -eq 0 ]; then
    exec "$@"
fi
if [ "${CI-}" = true ] && command -v sudo >/dev/null 2>&1; then
    exec sudo -n "$@"
fi
if command -v sudo >/dev/null 2>&1 && [ -t 2 ] && (: </dev/tty) 2>/dev/null; then
    printf '%s\nRun `sudo %s`? [y/N] ' "$reason" "$*" >/dev/tty
    read -r answer </dev/tty || answer=
    case $answer in
    y | Y | yes) exec sudo "$@" </dev/tty ;;
    esac
fi
printf '%s\nType this, then start again:\n  sudo %s\n' "$reason" "$*" >&2
exit 77
