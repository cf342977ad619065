#!/bin/sh
# Prints the runtime identifier of this machine: linux-x64, linux-musl-arm64 ...
case $(uname -m) in
x86_64 | amd64) architecture=x64 ;;
aarch64 | arm64) architecture=arm64 ;;
*)
    echo "bondline: there is no .NET for $(uname -m); x86_64 and aarch64 are supported" >&2
    exit 1
    ;;
esac
libc=
for loader in /lib/ld-musl-*; do [ -e "$loader" ] && ! [ -e /etc/debian_version ] && libc=musl-; done
echo "linux-$libc$architecture"
