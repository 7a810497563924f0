#!/bin/sh
# Builds the Rust guests into out/, with the first of three toolchains that works:
#
#   installed  the active toolchain already has the target wasm32-wasip1
#   rustup     `rustup target add wasm32-wasip1`
#   debian     Debian's rustc-web, with the standard library built from source;
#              missing packages are installed with apt-get, see as-root.sh
#
# GUEST_TOOLCHAIN=installed|rustup|debian forces one. Without it, the toolchain that
# worked last time is tried before anything is fetched, so an unreachable server
# costs its timeout once and not at every build. Unchanged outputs are not rewritten.
set -eu
# With a CDPATH, `cd` could go elsewhere and would print where.
unset CDPATH
cd -- "$(dirname -- "$0")"

target=wasm32-wasip1
artifacts=target/$target/release
chosen=target/.guest-toolchain
# Long enough to download the 20 MB of a target, short enough when no server answers.
rustup_timeout_s=60
debian_rustc=/usr/bin/rustc
debian_cargo=/usr/bin/cargo
debian_libc=/usr/lib/wasm32-wasi
# The guests' manifests ask for Rust 1.95.
debian_rustc_minor_min=95

say() { printf 'guests: %s\n' "$*"; }
warn() { printf 'guests: %s\n' "$*" >&2; }
die() {
    warn "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# ---- installed

# The target's directory can be there without its standard library, so look for that.
use_installed() {
    have cargo || return 1
    libraries=$("${RUSTC:-rustc}" --print target-libdir --target "$target" 2>/dev/null) || return 1
    for library in "$libraries"/libstd-*.rlib; do
        [ -e "$library" ] && return 0
    done
    return 1
}

# ---- rustup

use_rustup() {
    have rustup || return 1
    say "asking rustup for $target (at most $rustup_timeout_s s)"
    limit=
    if have timeout; then limit="timeout $rustup_timeout_s"; fi
    # shellcheck disable=SC2086 # two words, or none
    if ! log=$(RUST_BACKTRACE=0 $limit rustup target add "$target" 2>&1 </dev/null); then
        warn "rustup could not add $target: $(printf '%s\n' "$log" | grep -m 1 '^error' | cut -c 1-120 | grep . || echo 'no answer in time')"
        return 1
    fi
    use_installed
}

# ---- debian

# Every version works; this takes the highest.
find_wasm_ld() {
    for linker in /usr/bin/wasm-ld-[0-9]* /usr/bin/wasm-ld; do
        if [ -x "$linker" ]; then printf '%s\n' "$linker"; fi
    done | sort -V | tail -n 1
}

debian_rustc_is_recent() {
    minor=$("$debian_rustc" --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    [ "${minor:-0}" -ge "$debian_rustc_minor_min" ]
}

# The compiler looks for the C library in the target's folder `self-contained`.
debian_is_linked() { [ "$debian_sysroot/lib/rustlib/$target/lib/self-contained/libc.a" -ef "$debian_libc/libc.a" ]; }

debian_has_packages() {
    { [ -x "$debian_cargo" ] && debian_rustc_is_recent; } || return 1
    debian_sysroot=$("$debian_rustc" --print sysroot 2>/dev/null) || return 1
    wasm_ld=$(find_wasm_ld)
    [ -n "$wasm_ld" ] && [ -e "$debian_libc/libc.a" ] &&
        [ -e "$debian_sysroot/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

debian_is_ready() { debian_has_packages && debian_is_linked; }

as_root() { ./as-root.sh "guests: Debian's Rust toolchain for WebAssembly needs a change to this system." "$@"; }

# --no-remove, because rustc-web replaces Debian's packages rustc and rustup, and a
# build must not remove packages.
debian_install() {
    lld=$(apt-cache search --names-only '^lld-[0-9]+$' 2>/dev/null | cut -d ' ' -f 1 | sort -V | tail -n 1)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove \
        rustc-web cargo-web rust-web-src wasi-libc "${lld:-lld}" </dev/null
}

# Tries with the package lists as they are, then with fresh ones. Exit code 77 says
# that root's rights were not given, so nothing more is tried.
use_debian() {
    debian_is_ready && return 0
    if ! debian_has_packages; then
        have apt-get || return 1
        say "installing Debian's packages for wasm"
        status=0
        debian_install || status=$?
        [ "$status" -ne 77 ] || return 1
        if [ "$status" -ne 0 ] || ! debian_has_packages; then
            as_root apt-get update </dev/null || return 1
            debian_install || return 1
            debian_has_packages || return 1
        fi
    fi
    if ! debian_is_linked; then
        as_root mkdir -p "$debian_sysroot/lib/rustlib/$target/lib" || return 1
        as_root ln -sfn "$debian_libc" "$debian_sysroot/lib/rustlib/$target/lib/self-contained" || return 1
    fi
    debian_is_ready
}

# ---- the choice

choose() {
    case ${GUEST_TOOLCHAIN-} in
    installed | rustup | debian)
        toolchain=$GUEST_TOOLCHAIN
        "use_$toolchain" || die "GUEST_TOOLCHAIN=$toolchain does not work here; $(advice)"
        ;;
    '')
        last=$(cat "$chosen" 2>/dev/null || true)
        if use_installed; then
            toolchain=installed
        elif [ "$last" = debian ] && debian_is_ready; then
            toolchain=debian
        elif use_rustup; then
            toolchain=rustup
        elif use_debian; then
            toolchain=debian
        else
            die "no Rust toolchain for WebAssembly; $(advice)"
        fi
        ;;
    *) die "GUEST_TOOLCHAIN=$GUEST_TOOLCHAIN is none of installed, rustup, debian" ;;
    esac
}

advice() {
    cat <<'END'
one of these is needed:
  - the target wasm32-wasip1 in the active toolchain: rustup target add wasm32-wasip1
  - on Debian, as root: apt-get install rustc-web cargo-web rust-web-src wasi-libc lld-22
    (any lld-N works; rustc-web must be 1.95 or later, and it conflicts with
    Debian's packages rustc and rustup, but not with rustup from its own site)
END
}

# ---- building

# Flags and wrappers that are meant for the host must not reach the guests. Paths of
# this machine must not reach them either, so that the bytes are the same wherever
# they are built. The mangling of names is fixed, so that backtraces look the same
# with every compiler.
clean_environment() {
    unset RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
    unset RUSTC_WORKSPACE_WRAPPER
    export RUSTC_WRAPPER=''
    separator=$(printf '\037')
    CARGO_ENCODED_RUSTFLAGS=-Csymbol-mangling-version=v0
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo
    CARGO_ENCODED_RUSTFLAGS=$CARGO_ENCODED_RUSTFLAGS$separator--remap-path-prefix=$(pwd -P)=/guests
    export CARGO_ENCODED_RUSTFLAGS
}

build_guests() (
    clean_environment
    if [ "$toolchain" = debian ]; then
        # RUSTC_BOOTSTRAP makes a stable compiler accept -Zbuild-std. Only this command
        # may see it. The full paths and PATH keep rustup's programs out.
        RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 PATH=/usr/bin:/bin \
            "$debian_cargo" build --release --locked --target "$target" --target-dir target \
            -Zbuild-std=std,panic_abort --config "target.$target.linker=\"$wasm_ld\""
    else
        cargo build --release --locked --target "$target" --target-dir target
    fi
)

# A program for this machine, so it is built without the guests' flags and toolchain.
build_componentize() (
    unset CARGO_BUILD_TARGET
    cargo build --release --locked --quiet --manifest-path componentize/Cargo.toml --target-dir componentize/target
)

copy() { cmp -s -- "$1" "$2" || { cp -- "$1" "$2.tmp" && mv -- "$2.tmp" "$2"; }; }

# One line for each output: its form, cargo's name of the artifact, its name in out/.
outputs() {
    cat <<'END'
core     calculate_fibonacci_core  calculate-fibonacci.core.wasm
reactor  calculate_fibonacci       calculate-fibonacci.wasm
reactor  validate_email            validate-email.wasm
core     extract-keywords          extract-keywords.command.wasm
command  extract-keywords          extract-keywords.wasm
core     analyze-dataset-command   analyze-dataset.command.wasm
reactor  analyze_dataset           analyze-dataset.wasm
reactor  values_echo               values-echo.wasm
reactor  bench_http                bench_http.wasm
core     bench_kernels             bench_kernels.wasm
core     bench_sleeper             bench_sleeper.wasm
reactor  http_cases                http-cases.wasm
reactor  imports_cases             imports-cases.wasm
core     stream-cases              stream-cases.command.wasm
command  stream-cases              stream-cases.wasm
END
    for name in spin memory recursion sleep trap output; do
        echo "core     hostile_$name  hostile_$name.wasm"
        echo "command  hostile_$name  hostile_$name.component.wasm"
    done
}

write_outputs() {
    mkdir -p out
    outputs | while read -r form artifact output; do
        case $form in
        core) copy "$artifacts/$artifact.wasm" "out/$output" ;;
        *) componentize/target/release/componentize --adapter "$form" "$artifacts/$artifact.wasm" "out/$output" ;;
        esac
    done
}

write_dataset() {
    [ out/sales.csv -nt analyze-dataset/generate.py ] && return
    have python3 || die "python3 is needed to generate out/sales.csv"
    python3 analyze-dataset/generate.py out/sales.csv
}

choose
case $toolchain in
debian) say "toolchain: debian, $("$debian_rustc" --version), std from source" ;;
*) say "toolchain: $toolchain, $("${RUSTC:-rustc}" --version)" ;;
esac
have cargo || die "cargo is needed to build componentize"
build_guests
build_componentize
write_outputs
write_dataset
echo "$toolchain" >"$chosen"
say "$(find out -maxdepth 1 -name '*.wasm' | wc -l) guests in guest-examples/out"
