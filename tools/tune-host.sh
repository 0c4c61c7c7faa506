#!/usr/bin/env bash
# Looks whether this machine is set up for the hot thread, and says what to change:
#
#   tools/tune-host.sh [--core N] [--data-dir DIR] [--json] [--apply]
#
# Without --apply it changes nothing. With it (as root) it changes what can be changed while the
# system runs, in /sys, /proc/sys and /proc/irq and nowhere else; a reboot undoes that. What cannot
# be read is `unknown`, never an error. Exit codes: 0 all is as advised, or unknown; 1 advice is
# left; 2 wrong usage.
#
# HIP3_SYSROOT: a directory that stands for /, so that a test can make up a machine.
set -euo pipefail
export LC_ALL=C

root=${HIP3_SYSROOT:-}
root=${root%/}
core=auto data_dir=/var/lib/hip3 apply=no json=no

usage() {
    echo "tune-host.sh: $1" >&2
    echo "usage: tools/tune-host.sh [--core N] [--data-dir DIR] [--json] [--apply]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --core | --data-dir) [ $# -ge 2 ] || usage "$1 needs a value" ;;&
        --core) core=$2 && shift ;;
        --data-dir) data_dir=$2 && shift ;;
        --json) json=yes ;;
        --apply) apply=yes ;;
        -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) usage "unknown argument $1" ;;
    esac
    shift
done
[[ $core = auto || $core =~ ^(0|[1-9][0-9]{0,4})$ ]] || usage "--core $core: expected the number of a core"
[[ $data_dir = /* ]] || data_dir=$PWD/$data_dir
if [ -n "${HIP3_SYSROOT:-}" ] && { [ ! -d "$root" ] || [ "$root" -ef / ]; }; then
    usage "HIP3_SYSROOT=$HIP3_SYSROOT: expected a directory other than /"
fi
if [ $apply = yes ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    usage "--apply needs root"
fi

# --- Reading. Paths are those of the machine; `root` goes before them here and in `write` only.

# The first line of a file, or false.
get() {
    local line=
    [ -r "$root$1" ] && { read -r line <"$root$1" || [ -n "$line" ]; } 2>/dev/null && printf '%s\n' "$line"
}

# Why `get` had nothing to say.
why_not() {
    local shown=${1#/sys/devices/system/}
    if [ ! -e "$root$1" ]; then echo "no $shown"; else echo "$shown cannot be read"; fi
}

# Runs a program of the machine; false where it is not there.
tool() {
    local name=$1
    shift
    if [ -n "$root" ]; then
        [ -x "$root/usr/bin/$name" ] && "$root/usr/bin/$name" "$@" 2>/dev/null
    else
        command -v "$name" >/dev/null && "$name" "$@" 2>/dev/null
    fi
}

# The numbers of a list such as 0-2,5, one a line.
expand() {
    local part
    for part in ${1//,/ }; do
        [[ $part =~ ^[0-9]+(-[0-9]+)?$ ]] && seq "${part%-*}" "${part#*-}"
    done
    return 0
}

in_list() { # NUMBER LIST
    grep -qx "$1" <<<"$(expand "$2")"
}

without() { # LIST LIST: the first without what the second names
    expand "$1" | grep -vxF "$(expand "$2")" | paste -sd,
}

# The value of a kernel parameter, or false.
boot_param() {
    local line word value
    line=$(get /proc/cmdline) || return 1
    for word in $line; do
        [[ $word = "$1="* ]] && value=${word#*=}
    done
    [ -n "${value:-}" ] && printf '%s\n' "$value"
}

# The pids of processes with this name (as the kernel keeps it: 15 characters).
pids_of() {
    grep -lsx -- "$1" "$root"/proc/[0-9]*/comm | sed 's|/comm$||; s|.*/||' || true
}

cpu_flag() {
    grep -m1 -E '^flags' "$root/proc/cpuinfo" 2>/dev/null | grep -qw "$1"
}

# --- What was found, and what --apply would write.

ids=() marks=() founds=() adviseds=() whys=()
fix_files=() fix_values=()

# Each check names itself with `check`, then calls one of the others once.
check() { # ID ADVISED WHY
    ids+=("$1") adviseds+=("$2") whys+=("$3")
}
found() { # MARK FOUND
    marks+=("$1") founds+=("$2")
}
ok_if() { # FOUND TEST...: ok when the test holds, else advice
    local text=$1
    shift
    if "$@"; then found ok "$text"; else found advice "$text"; return 1; fi
}
fix() { # FILE VALUE
    fix_files+=("$1") fix_values+=("$2")
}

# A file that should hold one number or word.
value_check() { # ID FILE WANTED WHY
    local value
    check "$1" "$3" "$4"
    if ! value=$(get "$2"); then
        found unknown "$(why_not "$2")"
    elif ! ok_if "$value" [ "$value" = "$3" ]; then
        fix "$2" "$3"
    fi
}

# --- The checks, each about one thing.

online=$(get /sys/devices/system/cpu/online) ||
    online=$(sed -n 's/^processor[[:space:]]*: *//p' "$root/proc/cpuinfo" 2>/dev/null | paste -sd,) || online=''
hot=$core
[ "$hot" != auto ] || hot=$(expand "$online" | tail -n 1)
[ "$core" = auto ] || [ -z "$online" ] || in_list "$core" "$online" ||
    usage "--core $core: not online (online: $online)"
hot=${hot:-0}
cpu=/sys/devices/system/cpu/cpu$hot

# The hot core and what shares its execution units; and the cores that are left to all else.
together=$(get "$cpu/topology/thread_siblings_list") || together=''
together=$(expand "${together:-$hot}" | paste -sd,)
rest=$(without "$online" "$together") || rest=''

cores() {
    local count
    count=$(expand "$online" | wc -l)
    check cores "4 or more" "hot, cold, interrupts and the rest apart"
    if [ "$count" = 0 ]; then
        found unknown "neither /sys nor /proc/cpuinfo lists cores"
    else
        ok_if "$count online ($online)" [ "$count" -ge 4 ] || true
    fi
}

# Prints what kind of container this is, or false.
container() {
    local kind
    if kind=$(tool systemd-detect-virt --container) && [ "$kind" != none ]; then
        echo "$kind"
    elif [ -e "$root/.dockerenv" ] || [ -e "$root/run/.containerenv" ] || [ -e "$root/run/systemd/container" ]; then
        echo container
    else
        return 1
    fi
}

virtualization() {
    local kind
    check virtualization none "a hypervisor takes the core away when it likes"
    if kind=$(container); then
        found unknown "in a container ($kind): ask the host"
    elif cpu_flag hypervisor || { kind=$(tool systemd-detect-virt --vm) && [ "$kind" != none ]; }; then
        kind=$(tool systemd-detect-virt --vm) || kind=hypervisor
        found advice "$kind"
    elif [ -r "$root/proc/cpuinfo" ]; then
        found ok none
    else
        found unknown "$(why_not /proc/cpuinfo)"
    fi
}

turbo() {
    local value
    check turbo "a choice" "on is faster, off is steadier"
    if value=$(get /sys/devices/system/cpu/intel_pstate/no_turbo); then
        found ok "$([ "$value" = 0 ] && echo on || echo off)"
    elif value=$(get /sys/devices/system/cpu/cpufreq/boost); then
        found ok "$([ "$value" = 1 ] && echo on || echo off)"
    else
        found unknown "$(why_not /sys/devices/system/cpu/cpufreq/boost)"
    fi
}

# The limit that somebody set by PM QoS, in us, or false. 2000000000 is the kernel's word for none.
latency_limit() {
    local bytes
    [ -r "$root/dev/cpu_dma_latency" ] || return 1
    bytes=$(od -An -N4 -td4 "$root/dev/cpu_dma_latency" 2>/dev/null | tr -d ' ') || return 1
    [ -n "$bytes" ] && [ "$bytes" -lt 2000000000 ] && echo "$bytes"
}

c_states() {
    local state name latency deepest=none deepest_us=0 limit
    check c_states "at most 10 us to wake" "a deep sleep takes up to 200 us to leave"
    if [ ! -d "$root$cpu/cpuidle" ]; then
        found unknown "no $cpu/cpuidle"
        return
    fi
    for state in "$root$cpu"/cpuidle/state*; do
        state=${state#"$root"}
        latency=$(get "$state/latency") || continue
        [ "$(get "$state/disable")" = 0 ] || continue
        name=$(get "$state/name") || name=${state##*/}
        if [ "$latency" -ge "$deepest_us" ]; then deepest=$name deepest_us=$latency; fi
    done
    if limit=$(latency_limit) && [ "$limit" -lt "$deepest_us" ]; then
        ok_if "$deepest ($deepest_us us), held to $limit us by PM QoS" [ "$limit" -le 10 ] && return
    else
        ok_if "deepest $deepest ($deepest_us us)" [ "$deepest_us" -le 10 ] && return
    fi
    for state in "$root$cpu"/cpuidle/state*; do
        state=${state#"$root"}
        latency=$(get "$state/latency") || continue
        if [ "$latency" -gt 10 ] && [ "$(get "$state/disable")" = 0 ]; then fix "$state/disable" 1; fi
    done
}

# What the kernel keeps away from a core is said at boot. ID, FILE in /sys, PARAMETER, WHY
isolation() {
    local list='' source
    check "$1" "core $hot" "$4"
    if [ -n "$2" ] && [ -e "$root$2" ]; then
        source=$2 list=$(get "$2") || list=''
    elif [ -r "$root/proc/cmdline" ]; then
        source="boot parameter $3"
        list=$(boot_param "$3") || list=''
        # Flags come before the cores: isolcpus=managed_irq,domain,3
        list=$(tr , '\n' <<<"$list" | grep -E '^[0-9]' | paste -sd,) || list=''
    else
        found unknown "$(why_not /proc/cmdline)"
        return
    fi
    [ "$list" != "(null)" ] || list=''
    if [ "$1" = nohz_full ]; then nohz=$list; fi
    # Cores without ticks have their RCU callbacks done elsewhere too.
    if [ "$1" = rcu_nocbs ] && [ -z "$list" ]; then list=$nohz source="as nohz_full"; fi
    ok_if "${list:-none} ($source)" in_list "$hot" "$list" || true
}

# What a service may use is what process 1 may use, which is without what isolcpus names.
affinity() {
    local allowed unit
    check affinity "core $hot" "isolcpus hides a core from services: CPUAffinity= in hip3.service"
    allowed=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$root/proc/1/status" 2>/dev/null) || allowed=''
    if [ -z "$allowed" ]; then
        found unknown "$(why_not /proc/1/status)"
        return
    fi
    unit=$(sed -n 's/^CPUAffinity=//p' "$root"/etc/systemd/system/hip3.service.d/*.conf 2>/dev/null | tr -s ' \n' ,) || unit=''
    [ -z "$unit" ] || allowed+=",${unit%,}"
    ok_if "services may use $allowed" in_list "$hot" "$allowed" || true
}

busy_of() { # CORE: its share of time that was not idle, in % of a quarter second
    local one two
    one=$(grep -m1 "^cpu$1 " "$root/proc/stat" 2>/dev/null) || return 1
    sleep 0.25
    two=$(grep -m1 "^cpu$1 " "$root/proc/stat") || return 1
    awk -v one="$one" -v two="$two" 'BEGIN {
        split(one, a); n = split(two, b)
        for (i = 2; i <= n && i <= 9; i++) all += b[i] - a[i]
        idle = b[5] + b[6] - a[5] - a[6]
        printf "%d\n", (all > 0) ? 100 * (all - idle) / all : 0
    }'
}

smt() {
    local file=$cpu/topology/thread_siblings_list siblings sibling busy text=''
    check smt "no sibling online" "a sibling shares the hot core's units and caches"
    if ! siblings=$(get "$file"); then
        found unknown "$(why_not "$file")"
        return
    fi
    for sibling in $(expand "$siblings" | grep -vx "$hot"); do
        busy=$(busy_of "$sibling") && busy="$busy % busy" || busy="load unknown"
        text+="${text:+, }core $sibling online, $busy"
        # The first core has no such file: it cannot be taken away.
        file=/sys/devices/system/cpu/cpu$sibling/online
        if [ -e "$root$file" ]; then fix "$file" 0; fi
    done
    ok_if "${text:-none online}" [ -z "$text" ] || true
}

# Masks are groups of 8 hex digits, the last for cores 0 to 31.
mask_has() { # MASK CORE
    local groups i
    IFS=, read -ra groups <<<"$1"
    i=$((${#groups[@]} - 1 - $2 / 32))
    [ $i -ge 0 ] && [ $((16#${groups[$i]} >> ($2 % 32) & 1)) = 1 ]
}
mask_without() { # MASK CORE
    local groups i
    IFS=, read -ra groups <<<"$1"
    i=$((${#groups[@]} - 1 - $2 / 32))
    groups[i]=$(printf '%0*x' ${#groups[$i]} $((16#${groups[$i]} & ~(1 << ($2 % 32)))))
    (IFS=, && echo "${groups[*]}")
}

irqs() {
    local dir irq list mask name text='' count=0 all=0
    check irqs "none on core $hot" "an interrupt stops the hot thread for microseconds"
    if [ ! -d "$root/proc/irq" ]; then
        found unknown "no /proc/irq"
        return
    fi
    for dir in "$root"/proc/irq/[0-9]*; do
        irq=${dir##*/}
        # The timer and the cascade of old cannot be moved, and do not fire.
        case $irq in 0 | 2 | '[0-9]*') continue ;; esac
        list=$(get "/proc/irq/$irq/smp_affinity_list") || continue
        all=$((all + 1))
        in_list "$hot" "$list" || continue
        count=$((count + 1))
        # A folder in it is named after the device.
        name=$(find "$dir" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort | head -n 1)
        [ $count -gt 3 ] || text+="${text:+, }$irq${name:+ $name}"
        [ -z "$rest" ] || fix "/proc/irq/$irq/smp_affinity_list" "$rest"
    done
    [ $count -le 3 ] || text+=", ..."
    if [ $all = 0 ]; then
        found unknown "no affinity in /proc/irq can be read"
    else
        ok_if "$count of $all may run there${text:+: $text}" [ $count = 0 ] || true
    fi

    check new_irqs "not on core $hot" "where interrupts of devices yet to come go"
    if ! mask=$(get /proc/irq/default_smp_affinity); then
        found unknown "$(why_not /proc/irq/default_smp_affinity)"
    elif mask_has "$mask" "$hot"; then
        found advice "mask $mask"
        [ -z "$rest" ] || fix /proc/irq/default_smp_affinity "$(mask_without "$mask" "$hot")"
    else
        found ok "mask $mask"
    fi
}

irqbalance() {
    local banned
    check irqbalance "off, or kept away from core $hot" "it moves interrupts back"
    if [ ! -r "$root/proc/1/comm" ]; then
        found unknown "/proc lists no processes"
    elif [ -z "$(pids_of irqbalance)" ]; then
        found ok "not running"
    else
        banned=$(sed -n 's/^IRQBALANCE_BANNED_CPULIST="\{0,1\}\([0-9,-]*\).*/\1/p' "$root/etc/default/irqbalance" 2>/dev/null) || banned=''
        # It leaves isolated cores alone by itself.
        banned+=",$(get /sys/devices/system/cpu/isolated || true),$nohz"
        ok_if "running" in_list "$hot" "$banned" || true
    fi
}

huge_pages() {
    local file=/sys/kernel/mm/transparent_hugepage/enabled value chosen
    check huge_pages "madvise or never" "the kernel stops us to put pages together"
    if ! value=$(get $file); then
        found unknown "$(why_not $file)"
        return
    fi
    chosen=$(sed -n 's/.*\[\(.*\)\].*/\1/p' <<<"$value")
    chosen=${chosen:-$value}
    ok_if "$chosen" [ "$chosen" != always ] || fix $file madvise
}

swap() {
    local file=/proc/sys/vm/swappiness value used
    check swappiness "10 or less" "a page that was swapped out takes milliseconds"
    if ! value=$(get $file); then
        found unknown "$(why_not $file)"
    elif ! ok_if "$value" [ "$value" -le 10 ]; then
        fix $file 1
    fi
    check swap_used "nothing" "what lies there is slow when it is needed (swapoff -a)"
    if [ ! -r "$root/proc/swaps" ]; then
        found unknown "$(why_not /proc/swaps)"
    else
        used=$(awk 'NR > 1 { used += $4 } END { print int(used / 1024) }' "$root/proc/swaps")
        ok_if "$used MiB" [ "$used" = 0 ] || true
    fi
}

clock() {
    local dir=/sys/devices/system/clocksource/clocksource0 value
    check clock_source tsc "others need a system call to read"
    if ! value=$(get $dir/current_clocksource); then
        found unknown "$(why_not $dir/current_clocksource)"
    elif ! ok_if "$value" [ "$value" = tsc ]; then
        if grep -qw tsc "$root$dir/available_clocksource" 2>/dev/null; then
            fix $dir/current_clocksource tsc
        fi
    fi
    check tsc_flags "constant_tsc nonstop_tsc" "else it changes with the frequency or stops in sleep"
    if ! grep -q '^flags' "$root/proc/cpuinfo" 2>/dev/null; then
        found unknown "/proc/cpuinfo lists no flags"
    else
        value=''
        ! cpu_flag constant_tsc || value=constant_tsc
        ! cpu_flag nonstop_tsc || value+="${value:+ }nonstop_tsc"
        ok_if "${value:-neither}" [ "$value" = "constant_tsc nonstop_tsc" ] || true
    fi
}

busy() { # NAME WHY
    local file=/proc/sys/net/core/$1 value
    check "$1" 50 "$2"
    if ! value=$(get "$file"); then
        found unknown "$(why_not "$file")"
    elif ! ok_if "$value" [ "$value" != 0 ]; then
        fix "$file" 50
    fi
}

realtime() {
    local file=/proc/sys/kernel/sched_rt_runtime_us value
    check rt_runtime "a choice" "caps SCHED_FIFO alone, which hip3 does not use"
    if value=$(get $file); then found ok "$value"; else found unknown "$(why_not $file)"; fi
}

# The shell's own limit says nothing of the service's.
memlock() {
    local pid limit
    check memlock unlimited "hip3 locks its memory only without a limit; hip3.service sets it"
    pid=$(pids_of hip3 | head -n 1)
    if [ -z "$pid" ]; then
        found unknown "hip3 does not run"
        return
    fi
    limit=$(awk '/^Max locked memory/ { print $4 }' "$root/proc/$pid/limits" 2>/dev/null) || limit=''
    case $limit in
        unlimited) found ok unlimited ;;
        '' | *[!0-9]*) found unknown "/proc/$pid/limits cannot be read" ;;
        *) ok_if "$((limit >> 10)) KiB (process $pid)" false || true ;;
    esac
}

time_sync() {
    local daemon='' name answer
    check time_sync "within 100 ms" "orders carry expiresAfter; skew sets HardStop ClockSkew"
    for name in chronyd ntpd ntpsec systemd-timesyn openntpd; do
        [ -z "$(pids_of $name)" ] || daemon=$name
    done
    if answer=$(tool chronyc -n tracking) && grep -q '^System time' <<<"$answer"; then
        answer=$(awk -F': *' '/^System time/ { s = $2 } /^Leap status/ { l = $2 } END {
            split(s, w, " "); printf "%.3f ms off, %s\n", w[1] * 1000, (l == "Normal" ? "synchronized" : l) }' <<<"$answer")
        ok_if "chrony: $answer" awk -v text="$answer" 'BEGIN { exit !(text + 0 <= 100 && text ~ /, synchronized$/) }' || true
    elif answer=$(tool timedatectl show -p NTPSynchronized --value) && [ -n "$answer" ]; then
        ok_if "timedatectl: $([ "$answer" = yes ] && echo synchronized || echo not synchronized)" [ "$answer" = yes ] || true
    elif [ -n "$daemon" ]; then
        found unknown "$daemon runs, and does not say how it stands"
    elif container >/dev/null; then
        found unknown "in a container: the host keeps the time"
    elif [ ! -r "$root/proc/1/comm" ]; then
        found unknown "/proc lists no processes"
    else
        found advice "nothing that keeps the time runs"
    fi
}

storage() {
    local dir=$data_dir line kind free
    # Before the first run it is not there yet.
    while [ ! -d "$root$dir" ] && [ "$dir" != / ]; do dir=$(dirname "$dir"); done
    check data_dir "10 GiB free, a local file system" "rows wait in memory while a disk is full ($data_dir)"
    if ! line=$(tool df -PTk "$dir" | tail -n 1) || [ -z "$line" ]; then
        found unknown "df says nothing about $dir"
        return
    fi
    read -r _ kind _ _ free _ <<<"$line"
    if ! [[ $free =~ ^[0-9]+$ ]]; then
        found unknown "df says nothing about $dir"
        return
    fi
    line="$((free >> 20)) GiB free, $kind"
    case $kind in
        tmpfs | ramfs | overlay | nfs* | cifs | smb* | 9p | fuse* | vfat) found advice "$line" ;;
        *) ok_if "$line" [ "$free" -ge $((10 << 20)) ] || true ;;
    esac
}

look() {
    ids=() marks=() founds=() adviseds=() whys=() fix_files=() fix_values=() nohz=''
    cores
    virtualization
    value_check governor "$cpu/cpufreq/scaling_governor" performance "others lower the clock of a core between two frames"
    turbo
    c_states
    isolation isolcpus /sys/devices/system/cpu/isolated isolcpus "nothing else is put on the core"
    isolation nohz_full /sys/devices/system/cpu/nohz_full nohz_full "no timer tick while one thread runs"
    isolation rcu_nocbs '' rcu_nocbs "the kernel's clean-up is done on other cores"
    affinity
    smt
    irqs
    irqbalance
    huge_pages
    swap
    clock
    busy busy_poll "epoll looks at the network card itself, for so many us"
    busy busy_read "and so does a read"
    value_check timer_migration /proc/sys/kernel/timer_migration 0 "timers of idle cores move to a core that spins"
    value_check numa_balancing /proc/sys/kernel/numa_balancing 0 "it unmaps pages to see who uses them"
    realtime
    memlock
    time_sync
    storage
}

advice_left() {
    printf '%s\n' "${marks[@]}" | grep -qx advice
}

# --- Changing.

changed=() olds=() news=() undo=() refused=()

change() { # FILE VALUE
    local old
    case $1 in
        *..*) echo "tune-host.sh: $1 is not ours to write" >&2 && exit 1 ;;
        /sys/* | /proc/sys/* | /proc/irq/*) ;;
        *) echo "tune-host.sh: $1 is not ours to write" >&2 && exit 1 ;;
    esac
    old=$(get "$1") || old=''
    # Of a choice such as "always [madvise] never" what was chosen.
    if [[ $old =~ \[([^]]*)\] ]]; then old=${BASH_REMATCH[1]}; fi
    [ $json = yes ] || echo "change $1: $old -> $2"
    if { printf '%s\n' "$2" >"$root$1"; } 2>/dev/null; then
        changed+=("$1") olds+=("$old") news+=("$2")
        undo=("echo $old > $1" "${undo[@]}")
    else
        refused+=("$1")
        [ $json = yes ] || echo "       the kernel refused that"
    fi
}

apply_all() {
    local i
    for i in "${!fix_files[@]}"; do
        change "${fix_files[$i]}" "${fix_values[$i]}"
    done
    [ $json = yes ] && return
    if [ ${#changed[@]} = 0 ]; then
        echo "nothing was changed"
    else
        printf '\nto undo, or reboot:\n'
        printf '  %s\n' "${undo[@]}"
    fi
    echo
}

# --- Telling.

# What keeps it over a boot. The whole of it, since what was applied now looks as advised.
boot_line() {
    [ -n "$rest" ] || return 0
    echo "isolcpus=managed_irq,domain,$together nohz_full=$together rcu_nocbs=$together irqaffinity=$rest" \
        "transparent_hugepage=madvise cpufreq.default_governor=performance"
}

sysctl_lines() {
    printf '%s\n' vm.swappiness=1 net.core.busy_poll=50 net.core.busy_read=50 \
        kernel.timer_migration=0 kernel.numa_balancing=0
}

quote() { # As a JSON string
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "$(tr -d '\000-\037' <<<"$text")"
}

json_list() { # ITEMS...: as a JSON list of strings
    local separator='' item
    printf '['
    for item in "$@"; do
        printf '%s%s' "$separator" "$(quote "$item")"
        separator=', '
    done
    printf ']'
}

tell_json() {
    local i separator='' sysctl
    printf '{\n  "hot_core": %d,\n  "checks": [' "$hot"
    for i in "${!ids[@]}"; do
        printf '%s\n    {"check": %s, "mark": %s, "found": %s, "advised": %s, "why": %s}' "$separator" \
            "$(quote "${ids[$i]}")" "$(quote "${marks[$i]}")" "$(quote "${founds[$i]}")" \
            "$(quote "${adviseds[$i]}")" "$(quote "${whys[$i]}")"
        separator=,
    done
    printf '\n  ],\n  "changes": ['
    separator=''
    for i in "${!changed[@]}"; do
        printf '%s\n    {"file": %s, "from": %s, "to": %s}' "$separator" \
            "$(quote "${changed[$i]}")" "$(quote "${olds[$i]}")" "$(quote "${news[$i]}")"
        separator=,
    done
    mapfile -t sysctl < <(sysctl_lines)
    printf '\n  ],\n  "refused": %s,\n  "kernel_command_line": %s,\n  "sysctl": %s\n}\n' \
        "$(json_list "${refused[@]}")" "$(quote "$(boot_line)")" "$(json_list "${sysctl[@]}")"
}

tell() {
    local i width=5
    for i in "${founds[@]}"; do [ ${#i} -le "$width" ] || width=${#i}; done
    [ "$width" -le 48 ] || width=48
    printf 'hot core %s\n\n' "$hot"
    printf "%-8s %-15s %-${width}s  %-32s  %s\n" mark what found advised why
    for i in "${!ids[@]}"; do
        printf "%-8s %-15s %-${width}s  %-32s  %s\n" \
            "${marks[$i]}" "${ids[$i]}" "${founds[$i]}" "${adviseds[$i]}" "${whys[$i]}"
    done
    if advice_left || [ $apply = yes ]; then tell_lasting; fi
    if [ $apply = no ] && [ ${#fix_files[@]} -gt 0 ]; then
        printf '\n--apply (as root) changes what can be changed now: %d files in /sys and /proc\n' "${#fix_files[@]}"
    fi
}

tell_lasting() {
    if [ -n "$rest" ]; then
        printf '\nto keep it over a boot, on the kernel command line:\n  %s\n' "$(boot_line)"
        printf 'since isolcpus hides cores from services, by systemctl edit hip3:\n'
        printf '  [Service]\n  CPUAffinity=%s\n' "$online"
    fi
    printf 'in /etc/sysctl.d/90-hip3.conf:\n'
    sysctl_lines | sed 's/^/  /'
    printf 'sleep states, siblings and interrupts: --apply after each boot\n'
}

look
if [ $apply = yes ]; then
    apply_all
    look
fi
if [ $json = yes ]; then tell_json; else tell; fi
if advice_left; then exit 1; fi
