#!/usr/bin/env bash
# Checks everything, with all the set-up it needs; --fast: no emulated networks; --long: repeats, peers and soak too.
#
# What it needs of the system is installed with apt when it runs as root or may use sudo; otherwise it says what to install.
# The last line is "N passed, N failed" over all test projects and the checks of this script; a skipped test counts as failed.
# Tests learn the mode from BONDLINE_TEST (fast, normal, long) and the program's path from BONDLINE_PROGRAM, and append what they
# measured to the file BONDLINE_MEASUREMENTS. A test with the trait Mode=normal is left out of --fast, one with Mode=long of both.
# As root everything runs in namespaces of its own, so nothing that a test starts can outlive this script, however it ends.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
root=$(pwd -P)

mode=normal
case ${1:-} in
--fast) mode=fast ;;
--long) mode=long ;;
"") ;;
*)
    echo "usage: $0 [--fast|--long]" >&2
    exit 2
    ;;
esac

began=$(date +%s)
passed=0
failed=0
results=$root/.build/results
work=$root/.build/work
rm -rf "$results"
mkdir -p "$results"

finish() {
    echo
    if [ -s "$results/measurements" ]; then
        echo "measured:"
        sed 's/^/  /' "$results/measurements"
        echo
    fi
    echo "$mode run, $(($(date +%s) - began)) s; reports in .build/results"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# check NAME COMMAND...: one check of this script; its output is shown only when it fails.
check() {
    local name=$1 start=$(date +%s) log
    shift
    log="$results/${name// /-}.log"
    if "$@" >"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        printf 'ok    %-32s %6s s\n' "$name" $(($(date +%s) - start))
    else
        failed=$((failed + 1))
        printf 'FAIL  %-32s %6s s\n' "$name" $(($(date +%s) - start))
        tail -n 60 "$log" | sed 's/^/      /'
        return 1
    fi
}

# ---- what the system must have -------------------------------------------------------------------------------------------------

# command or file : Debian package
needs=(curl:curl ip:iproute2 unshare:util-linux /etc/ssl/certs/ca-certificates.crt:ca-certificates flock:util-linux ps:procps)
[ "$mode" = fast ] || needs+=(clang:clang ping:iputils-ping iperf3:iperf3 mptcpize:mptcpize wrk:wrk ssh:openssh-client
    /usr/sbin/sshd:openssh-server socat:socat /usr/sbin/nft:nftables /usr/sbin/nginx:nginx-light)

missing_packages() {
    local need
    for need in "${needs[@]}"; do
        command -v "${need%:*}" >/dev/null || [ -e "${need%:*}" ] || echo "${need#*:}"
    done | sort -u
}

install_packages() {
    local as_root=() packages policy=/usr/sbin/policy-rc.d status
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -gt 0 ] || return 0
    echo "missing: ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "Install these (Debian's names) with this system's package manager, then run this again."
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || { ! sudo -n true && ! [ -c /dev/tty ]; }; then
            echo "Run: sudo apt-get update && sudo apt-get install ${packages[*]}"
            return 1
        fi
        as_root=(sudo)
    fi
    # Installed for tests only: no package may start a service now, or with the next boot.
    if ! [ -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
    else
        policy=
    fi
    "${as_root[@]}" apt-get update # a third party's list that fails need not matter: the installation decides
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
    status=$?
    [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"
    if [ -d /run/systemd/system ]; then
        case " ${packages[*]} " in *" nginx-light "*) "${as_root[@]}" systemctl disable nginx ;; esac
        case " ${packages[*]} " in *" openssh-server "*) "${as_root[@]}" systemctl disable ssh ;; esac
    fi
    [ "$status" = 0 ] && [ -z "$(missing_packages)" ]
}

has_rights() {
    [ "$(id -u)" = 0 ] || { echo "Emulated networks need root (network namespaces and TUN devices): run this with sudo, or with --fast to leave them out."; return 1; }
    [ -c /dev/net/tun ] || { echo "/dev/net/tun is missing: modprobe tun, or give the container this device."; return 1; }
    [ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null)" = 1 ] || { echo "Kernel MPTCP is off: sysctl net.mptcp.enabled=1 on a kernel that has it."; return 1; }
}

check packages install_packages || finish
[ "$mode" = fast ] || check rights has_rights || finish

# ---- build -----------------------------------------------------------------------------------------------------------------------

. build/environment.sh
dotnet_root=$(build/sdk.sh) || { failed=$((failed + 1)); finish; }
export DOTNET_ROOT=$dotnet_root
dotnet=$dotnet_root/dotnet

build_all() {
    # A feed without vulnerability data is not a fault of ours; a known vulnerability is.
    flock --close .build/lock "$dotnet" build Bondline.slnx --configuration Release --artifacts-path "$work" -v quiet \
        -warnaserror '-warnnotaserror:NU1900;NU1905'
}

check_format() { "$dotnet" format whitespace --folder . --exclude .build --verify-no-changes; }

build_program() {
    build/program.sh native || return 1
    [ "$mode" = fast ] || ! [ -e .build/native/dotnet-root ] || { tail -n 40 .build/native.log; return 1; }
}

stamp=.build/tests-stamp
if [ "$mode" != fast ] || ! [ -e "$stamp" ] || [ -n "$(find src test build bench Directory.* Bondline.slnx global.json .editorconfig \
    -type d \( -name bin -o -name obj \) -prune -o -newer "$stamp" -print -quit 2>/dev/null)" ]; then
    touch "$stamp.new"
    rm -f "$stamp"
    check build build_all || finish
    check format check_format && mv "$stamp.new" "$stamp"
fi
check program build_program || finish

export BONDLINE_TEST=$mode BONDLINE_PROGRAM=$root/.build/native/bondline BONDLINE_MEASUREMENTS=$results/measurements

# The launcher adds nothing to standard output and little to a start: the quickest of ten, against the program alone.
check_launcher() {
    [ "$(./bondline --version 2>/dev/null)" = "$("$BONDLINE_PROGRAM" --version 2>/dev/null)" ] || { echo "./bondline prints more than the program"; return 1; }
    local with without
    with=$(quickest ./bondline --version)
    without=$(quickest "$BONDLINE_PROGRAM" --version)
    echo "launcher $(((with - without) / 1000)) us, whole start $((with / 1000)) us"
    [ $((with - without)) -lt 15000000 ]
}

quickest() {
    local best=999999999999 start taken
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        start=$(date +%s%N)
        "$@" >/dev/null 2>&1
        taken=$(($(date +%s%N) - start))
        [ "$taken" -ge "$best" ] || best=$taken
    done
    echo "$best"
}

check launcher check_launcher

# What a newcomer sees: a clone of the last commit, no packages in the cache, the first program within three minutes.
check_fresh_clone() {
    local folder=$root/.build/fresh start status
    rm -rf "$folder"
    git clone --quiet . "$folder/clone" || return 1
    start=$(date +%s)
    NUGET_PACKAGES=$folder/packages "$folder/clone/bondline" --version >"$folder/stdout"
    status=$?
    echo "first start from a clone: $(($(date +%s) - start)) s" | tee -a "$results/measurements"
    [ "$(wc -l <"$folder/stdout")" = 1 ] || { echo "standard output has more than the version:"; cat "$folder/stdout"; status=1; }
    [ $(($(date +%s) - start)) -lt 180 ] || status=1
    rm -rf "$folder"
    return $status
}
[ "$mode" != long ] || check fresh-clone check_fresh_clone

# ---- test projects ---------------------------------------------------------------------------------------------------------------

filter=()
[ "$mode" = long ] || filter=(--filter-not-trait Mode=long)
[ "$mode" != fast ] || filter+=(Mode=normal)
case $mode in fast) limit=180 ;; normal) limit=900 ;; long) limit=14400 ;; esac

# A world of its own for root: processes, mounts, network. It ends with its first process, whatever that left running.
isolated=()
[ "$(id -u)" != 0 ] || isolated=(unshare --mount --pid --net --fork --kill-child --mount-proc -- sh -c '
    mkdir -p /run/netns && mount -t tmpfs -o mode=755 tmpfs /run/netns && mount -t sysfs sysfs /sys && ip link set lo up || exit 99
    "$@"
    exit $?' isolated)

# Runs one project and writes "PASSED FAILED" to NAME.count; in a subshell of its own, so it may be killed with what it started.
run_project() {
    local name=$1 child='' status report start=$(date +%s) good=0 bad=0 note=
    trap '[ -z "$child" ] || kill -KILL -- "-$child" 2>/dev/null' EXIT
    trap 'exit 143' TERM
    setsid timeout --signal=KILL "$limit" "${isolated[@]}" "$work/bin/$name/release/$name" --no-ansi --progress off --fail-skips on \
        --results-directory "$results" --report-xunit-xml --report-xunit-xml-filename "$name.xml" "${filter[@]}" \
        >"$results/$name.log" 2>&1 </dev/null &
    child=$!
    wait "$child" 2>/dev/null
    status=$?
    if report=$(grep -o -m1 '<assembly [^>]*>' "$results/$name.xml" 2>/dev/null); then
        good=$(attribute passed)
        bad=$(($(attribute failed) + $(attribute errors) + $(attribute skipped)))
    fi
    case $status in
    0) ;;
    137) bad=$((bad + 1)) note="killed after $limit s" ;;
    8) bad=$((bad + 1)) note="has tests and ran none" ;;
    *) [ "$bad" -gt 0 ] || { bad=1 note="exit code $status"; } ;;
    esac
    echo "$good $bad" >"$results/$name.count"
    printf '%-5s %-32s %6s s %6s tests%s\n' "$([ "$bad" = 0 ] && echo ok || echo FAIL)" "$name" $(($(date +%s) - start)) $((good + bad)) "${note:+  $note}"
    [ "$bad" = 0 ] || tail -n 200 "$results/$name.log" | sed 's/^/      /'
}

attribute() { local value=${report#* "$1"=\"}; echo "${value%%\"*}"; }

stop_all() {
    local jobs
    jobs=$(jobs -p)
    [ -z "$jobs" ] || { kill $jobs 2>/dev/null; wait; }
}
trap stop_all EXIT
trap 'echo; echo "interrupted" >&2; exit 130' INT TERM

beside=() # two at a time
alone=()  # what measures time
for project in test/*/*.csproj; do
    name=$(basename "$project" .csproj)
    grep -q 'xunit\.v3"' "$project" || continue
    if ! grep -rqE --include='*.cs' '\[[A-Za-z]*(Fact|Theory)\b' "${project%/*}"; then
        echo "none  $name"
        continue
    fi
    case $name in
    Bondline.Lab.Tests | Bondline.EndToEnd) [ "$mode" = fast ] || alone+=("$name") ;;
    Bondline.Protocol.Tests) alone+=("$name") ;; # its simulation takes both cores
    *) beside+=("$name") ;;
    esac
done

for name in "${beside[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    run_project "$name" &
done
wait
for name in "${alone[@]}"; do
    run_project "$name" &
    wait
done

for name in "${beside[@]}" "${alone[@]}"; do
    read -r good bad <"$results/$name.count" || { good=0 bad=1; }
    passed=$((passed + good))
    failed=$((failed + bad))
done
finish
