#!/bin/busybox sh
# Pid 1 of the VM that runs packages/gro-live on its loopback device, which receives through the backlog: whole streams, odd ends, losses,
# overflow, and detaching under way. Refuses to go on living: whatever happens, it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
dmesg -n 1

. /report.sh

# start FD NAME ARGUMENTS…: a program of /NAME.o is attached when it comes back; FD takes the lines of stdin, /NAME.said what it says.
start() {
	rm -f "/$2.in"
	mkfifo "/$2.in"
	hold "/$2.o" lo $3 <"/$2.in" >"/$2.said" 2>&1 &
	eval "exec $1>/$2.in"
	until grep -q attached "/$2.said"; do usleep 1000; done
}

# with COMMAND…: what it says, then what the program counted meanwhile.
with() {
	start 3 gro_live ingress
	"$@" || return 1
	echo stats >&3
	exec 3>&-
	wait
	tail -n 1 /gro_live.said
}

# lossy COMMAND…: some packets are dropped between the queue and the program.
lossy() {
	start 4 drop "ingress before"
	"$@" || return 1
	exec 4>&-
}

# What the program says after a line of stdin.
answer() {
	lines=$(($(wc -l </gro_live.said) + 1))
	echo "$1" >&3
	until [ "$(wc -l </gro_live.said)" -ge $lines ]; do usleep 1000; done
	tail -n 1 /gro_live.said
}

# The program comes and goes while bytes flow, until it went in mid-train: after at most 10 streams. Few packets a turn: then the CPU
# leaves the backlog in mid-train often.
flapping() {
	echo 1 >/proc/sys/net/core/dev_weight
	echo 1 >/proc/sys/net/core/netdev_budget
	streams=0
	while answer stats | grep -q '"missed":0' && [ $streams -lt 10 ]; do
		streams=$((streams + 1))
		talk compare 127.0.0.1 10000000 >/flapped 2>&1 &
		talker=$!
		while kill -0 $talker 2>/dev/null; do
			answer flap >/dev/null
		done
		wait $talker
		code=$?
		[ $code = 0 ] || break
	done
	echo 64 >/proc/sys/net/core/dev_weight
	echo 300 >/proc/sys/net/core/netdev_budget
	echo "{\"streams\":$streams}"
	cat /flapped
	return $code
}

# Of a backlog of 20 packets most of a burst is dropped.
overflowing() {
	echo 20 >/proc/sys/net/core/netdev_max_backlog
	"$@"
	code=$?
	echo 1000 >/proc/sys/net/core/netdev_max_backlog
	echo "{\"dropped\":$((0x$(cut -d ' ' -f 2 /proc/net/softnet_stat)))}"
	return $code
}

# Each packet of the backlog is a turn of its own.
one_by_one() {
	echo 1 >/proc/sys/net/core/dev_weight
	"$@"
	code=$?
	echo 64 >/proc/sys/net/core/dev_weight
	return $code
}

# The firmware leaves escape codes on the first line.
echo
report kernel uname -r
ip link set lo up
ip link set lo mtu 1500
# Segments, as no device sends superpackets.
features lo tso off
report without talk ask 127.0.0.1 500
report ask with talk ask 127.0.0.1 500
report exchange with talk exchange 127.0.0.1 288
report hash with talk hash 127.0.0.1 6000000
report ipv4 with talk compare 127.0.0.1 20000000
report ipv6 with talk compare ::1 20000000
report turns with one_by_one talk compare 127.0.0.1 10000000
report before with lossy talk compare 127.0.0.1 2000000
report overflow with overflowing talk compare ::1 5000000
report flapping with flapping
mount -t bpf bpf /sys/fs/bpf
report unasked kfn-load apply /plans/unasked.json
report bundle kfn-load apply /plans/live.json
report loaded talk compare 127.0.0.1 10000000
report pins kfn-load inspect
report proof kfn-load prove /plans/live.json
report removed kfn-load apply /plans/empty.json
report taint cat /proc/sys/kernel/tainted
report dmesg dmesg
report done true
reboot -f
