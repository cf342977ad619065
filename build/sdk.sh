#!/bin/sh
# Prints the folder of a .NET installation that has the SDK global.json names and the ASP.NET Core runtime:
# the one on PATH if it fits, else .dotnet/ in this clone, into which it is downloaded if need be.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
. build/environment.sh

say() { echo "bondline: $*" >&2; }
die() { say "$@"; exit 1; }

version=$(sed -n 's/.*"version": *"\([0-9][^"]*\)".*/\1/p' global.json)
feed=${BONDLINE_DOTNET_FEED:-https://builds.dotnet.microsoft.com/dotnet} # for machines that reach a mirror only

# "10.0.401 [/usr/share/dotnet/sdk]" -> /usr/share/dotnet
sdk_root() {
    "$1" --list-runtimes 2>/dev/null | grep -q "^Microsoft.AspNetCore.App ${version%%.*}\." || return 0
    "$1" --list-sdks 2>/dev/null | sed -n "s|^$version \[\(.*\)/sdk\]\$|\1|p" | head -n 1
}

for dotnet in "$(command -v dotnet || true)" "$root/.dotnet/dotnet"; do
    [ -x "$dotnet" ] || continue
    found=$(sdk_root "$dotnet")
    if [ -n "$found" ]; then
        echo "$found"
        exit
    fi
done

case $(uname -s) in Linux) ;; *) die "this version runs on Linux only, and this is $(uname -s)" ;; esac
rid=$(build/rid.sh)
archive=dotnet-sdk-$version-$rid.tar.gz

mkdir -p .build
exec 8>.build/sdk.lock
flock 8
if [ -x .dotnet/dotnet ] && [ -n "$(sdk_root "$root/.dotnet/dotnet")" ]; then # another one was faster
    echo "$root/.dotnet"
    exit
fi

say "no .NET SDK $version here; downloading it into $root/.dotnet (about 230 MB, once)"
rm -rf .dotnet.new
trap 'rm -rf "$root/.dotnet.new"' EXIT
trap 'exit 130' INT TERM
mkdir .dotnet.new
url=$feed/Sdk/$version/$archive
if command -v curl >/dev/null; then
    progress=--silent
    [ ! -t 2 ] || progress=--progress-bar
    curl --fail --show-error $progress --location --retry 3 --connect-timeout 20 --output ".dotnet.new/$archive" "$url" >&2 8>&-
elif command -v wget >/dev/null; then
    wget --no-verbose --tries=3 --output-document=".dotnet.new/$archive" "$url" >&2 8>&-
else
    die "curl or wget is needed to download the .NET SDK $version"
fi || die "cannot download $url; install the .NET SDK $version another way, or set BONDLINE_DOTNET_FEED to a mirror"
tar -xzf ".dotnet.new/$archive" -C .dotnet.new 8>&- || die "the downloaded $archive is damaged; try again"
rm ".dotnet.new/$archive"
[ -n "$(sdk_root "$root/.dotnet.new/dotnet")" ] || die "the downloaded SDK does not run here; it needs the C++ library and OpenSSL (Debian: libstdc++6, libssl3; Alpine: libstdc++, libgcc, openssl)"
rm -rf .dotnet
mv .dotnet.new .dotnet
echo "$root/.dotnet"
