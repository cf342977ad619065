#!/bin/sh
# build/program.sh native|jit: builds the program into .build/native or .build/jit unless it is there and current.
# Where the native build fails, .build/native gets the JIT program (it then holds a file dotnet-root) and the reason is said.
# Everything is said on standard error; compilers' output goes to .build/*.log.
set -eu
kind=$1
cd "$(dirname "$0")/.."
root=$(pwd -P)
exec </dev/null >&2

say() { echo "bondline: $*"; }
die() { say "$@"; exit 1; }

case $kind in native | jit) ;; *) die "BONDLINE_BUILD is '$kind'; it must be native or jit" ;; esac
command -v flock >/dev/null || die "flock is missing; it is in the package util-linux"
mkdir -p .build 2>/dev/null && [ -w .build ] || die "cannot write to $root/.build (built as another user before? then: sudo chown -R $(id -un) $root/.build)"
. build/environment.sh

# Children get 9>&- so that nothing they leave running can hold the lock.
exec 9>.build/lock
flock -n 9 || { say "waiting for another build in $root"; flock 9; }

# The stamp is older than the look at the sources: what changes meanwhile is seen by the next start.
stamp=.build/stamp.new
touch "$stamp"
fingerprint=$(find src build Directory.* global.json -type d \( -name bin -o -name obj \) -prune -o -type f ! -name '.*' -print0 |
    sort -z | xargs -0 sha256sum | sha256sum)
if [ -x ".build/$kind/bondline" ] && [ "$(cat ".build/$kind/fingerprint")" = "$fingerprint" ] &&
    { ! [ -e ".build/$kind/dotnet-root" ] || [ -x "$(cat ".build/$kind/dotnet-root")/dotnet" ]; }; then
    mv "$stamp" ".build/$kind/stamp"
    exit
fi

dotnet_root=$(build/sdk.sh 9>&-)
rid=$(build/rid.sh)
began=$(date +%s)

# --artifacts-path: apart from the bin/ and obj/ folders of whoever develops here.
# Known vulnerabilities fail ./test, not somebody's first start.
publish() {
    rm -rf "$out"
    DOTNET_ROOT=$dotnet_root "$dotnet_root/dotnet" publish src/Bondline.Cli --configuration Release --runtime "$rid" \
        --artifacts-path .build/work --output "$out" \
        -p:NuGetAudit=false -p:PublishDocumentationFiles=false -p:PublishReferencesDocumentationFiles=false \
        -p:CopyOutputSymbolsToPublishDirectory=false "$@" 9>&-
}

out=.build/$kind.$began
exec 8>&2
ticker=
# Runs a command whose output goes elsewhere; on a terminal it shows for how long.
timed() {
    [ -t 8 ] || { "$@" 8>&-; return; }
    while sleep 1; do printf '\rbondline: %s s ' $(($(date +%s) - began)) >&8; done 9>&- &
    ticker=$!
    status=0
    "$@" 8>&- || status=$?
    kill "$ticker" 2>/dev/null || true
    ticker=
    printf '\r\033[K' >&8
    return "$status"
}

trap '[ -z "$ticker" ] || kill "$ticker"; rm -rf "$out" "$stamp"' EXIT
trap 'exit 130' INT TERM

built=
if [ "$kind" = native ]; then
    say "building the program (native code, about a minute, once)"
    if timed publish -p:Native=true >.build/native.log 2>&1; then
        built=native
    else
        say "the native build failed (see $root/.build/native.log); building for the JIT instead"
    fi
fi
if [ -z "$built" ]; then
    [ "$kind" = native ] || say "building the program (for the JIT${BONDLINE_BUILD:+, as BONDLINE_BUILD says}; with clang or gcc installed it would be native code)"
    if ! timed publish --self-contained false >.build/jit.log 2>&1; then
        grep -E '(error|warning) [A-Z]+[0-9]+:|error :' .build/jit.log | sort -u | head -n 20 || true
        die "the build failed; all of its output is in $root/.build/jit.log"
    fi
    built=jit
    echo "$dotnet_root" >"$out/dotnet-root"
fi

[ "$built" = jit ] || rm -f "$out"/*.pdb # native code has its symbols in .build/work
chmod -R a+rX "$out"
echo "$fingerprint" >"$out/fingerprint"
mv "$stamp" "$out/stamp"

# Switch in one step, and keep the program before this one: it may be running and load libraries later.
previous=$(readlink ".build/$kind" || true)
ln -s "${out#.build/}" ".build/$kind.link"
mv -T ".build/$kind.link" ".build/$kind"
for folder in .build/"$kind".[0-9]*; do
    case ${folder#.build/} in "${out#.build/}" | "$previous") ;; *) rm -rf "$folder" ;; esac
done
trap - EXIT
say "built in $(($(date +%s) - began)) s ($built)"
