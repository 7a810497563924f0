#!/bin/sh
# Builds the Python guest into out-bench/. Only benchmarks use it, so `make guests` does
# not build it. componentize-py is fetched once from PyPI, into target/. An output
# that is newer than its source is not built again.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"

tool_version='0.25.*'
tools=target/componentize-py
source=calculate-fibonacci-python
output=out-bench/calculate-fibonacci.python.wasm

if [ "$output" -nt "$source/app.py" ] && [ "$output" -nt calculate-fibonacci/wit/world.wit ]; then
    exit 0
fi
if ! [ -x "$tools/bin/componentize-py" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$tool_version"
fi
mkdir -p out-bench
"$tools/bin/componentize-py" --wit-path calculate-fibonacci/wit --world calculate-fibonacci \
    componentize --python-path "$source" app --output "$output.tmp"
mv -- "$output.tmp" "$output"
