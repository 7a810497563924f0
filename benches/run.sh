#!/usr/bin/env bash
# Builds what is measured (release profile) and measures it: `run.sh [ROW] [--json] …`.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --locked -p pilum-host -p pilum-benches
# The control of `http_handler`, of the version that is linked here.
version=$(sed -n '/^name = "wasmtime"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
WASMTIME=${WASMTIME:-target/wasmtime-$version/bin/wasmtime}
case ${1-} in http* | --*)
    [ -x "$WASMTIME" ] || command -v "$WASMTIME" >/dev/null ||
        cargo install wasmtime-cli --version "$version" --locked --root "target/wasmtime-$version" \
            --target-dir target/wasmtime-build
    ;;
esac
export WASMTIME
exec target/release/pilum-bench "$@"
