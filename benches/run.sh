#!/usr/bin/env bash
# Builds what is measured (release profile) and measures it: `run.sh [ROW] [--json] …`.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --locked -p pilum-host -p pilum-benches
exec target/release/pilum-bench "$@"
