#!/bin/sh
# Builds the server when a source is newer than the binary, then becomes it:
#   your_program.sh [server.properties] [--driver NAME]
# Works from any directory and through links. What the build says goes to standard error.
set -eu

script=$0
while [ -L "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname "$script")/$target ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P)
binary=$root/target/release/klamm

# The time when the last build here began: cargo leaves a binary that needs no change as old as it is.
built=$root/target/release/.klamm-built

# True when there is no binary, or when something that it is made of has changed since. A source
# that is gone shows as a change of its directory.
is_stale() {
    [ -x "$binary" ] || return 0
    reference=$binary
    [ "$built" -nt "$binary" ] && reference=$built
    for made_of in "$root"/Cargo.toml "$root"/Cargo.lock; do
        [ "$made_of" -nt "$reference" ] && return 0
    done
    changed=$(find "$root/core" "$root/runtime" "$root/runtime-std" "$root/runtime-smol" "$root/server" \
        \( -path '*/tests' -o -path '*/target' \) -prune -o \
        \( -name '*.rs' -o -name Cargo.toml -o -path '*/src*' -type d \) \
        -newer "$reference" -print)
    [ -n "$changed" ]
}

if is_stale; then
    if command -v cargo >/dev/null 2>&1; then
        mkdir -p "$root/target/release"
        : >"$built.begun"
        # The server ends at its first panic anyway; without the tables for more it is a seventh smaller.
        CARGO_PROFILE_RELEASE_PANIC=abort cargo build --release --locked -p klamm \
            --manifest-path "$root/Cargo.toml" --target-dir "$root/target" >&2
        mv "$built.begun" "$built"
    elif [ -x "$binary" ]; then
        echo "your_program.sh: cargo is not installed; $binary is older than its sources" >&2
    else
        echo "your_program.sh: cargo is not installed, and there is no $binary" >&2
        exit 1
    fi
fi

exec "$binary" "$@"
