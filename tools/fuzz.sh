#!/usr/bin/env bash
# Fuzzes the targets of fuzz/, so many seconds each: tools/fuzz.sh run SECONDS [TARGET], or
# tools/fuzz.sh smoke SECONDS. `run` has AddressSanitizer on, which watches the unsafe code of our
# dependencies; `smoke` is built to be built quickly. What either finds lies in fuzz/artifacts, and
# the inputs that `run` came upon in the target directory, for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

how=$1 seconds=$2 only=${3:-}
cargo=${CARGO:-cargo}
built=${CARGO_TARGET_DIR:-$PWD/target}/fuzz-$how
mapfile -t targets < <(basename -s .rs -a fuzz/fuzz_targets/*.rs)
if [ -n "$only" ]; then
    if [ ! -f "fuzz/fuzz_targets/$only.rs" ]; then
        echo "no target $only; there are: ${targets[*]}" >&2
        exit 2
    fi
    targets=("$only")
fi

replay() {
    echo "$1: replaying the corpora on the stable toolchain instead"
    exec "$cargo" test --locked --test fuzz_corpus
}

"$cargo" +nightly --version >/dev/null 2>&1 || replay "there is no nightly toolchain"
if ! "$cargo" fuzz --version >/dev/null 2>&1; then
    "$cargo" install --quiet --locked cargo-fuzz || replay "cargo-fuzz is not there and cannot be had"
fi

options=()
if [ "$how" = smoke ]; then
    options=(--sanitizer none --no-trace-compares --codegen-units 16)
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=0
fi
"$cargo" +nightly fuzz build --target-dir "$built" "${options[@]}" ${only:+"$only"}

for target in "${targets[@]}"; do
    found=$built/corpus/$target
    artifacts=fuzz/artifacts/$target
    mkdir -p "$found" "$artifacts"
    dict=()
    case $target in
        dashboard) dict=(-dict=fuzz/http.dict) ;;
        config | decimals | engine | orders | records) ;;
        *) dict=(-dict=fuzz/json.dict) ;;
    esac
    began=$SECONDS
    log=$built/$target.log
    # The longest input that is tried: what is longer says the same more slowly.
    if ! "$built"/*/release/"$target" "$found" "fuzz/corpus/$target" "${dict[@]}" \
        -max_total_time="$seconds" -max_len=8192 -timeout=30 -rss_limit_mb=4096 \
        -artifact_prefix="$artifacts/" -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "fuzz: $target failed; its input is in $artifacts" >&2
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf 'fuzz: %-9s %9s inputs in %d s\n' "$target" "$runs" $((SECONDS - began))
    # Three inputs are a corpus that was read, and no fuzzing.
    if [ "$runs" -lt 10 ]; then
        echo "fuzz: $target hardly ran" >&2
        exit 1
    fi
done
