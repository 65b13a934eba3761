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
	grep runs /gro_live.said
}

# lossy COMMAND…: some packets are dropped between the queue and the program.
lossy() {
	start 4 drop "ingress before"
	"$@" || return 1
	exec 4>&-
}

# The program comes and goes while bytes flow. Few packets a turn: then the CPU leaves the backlog in mid-train.
flapping() {
	echo 1 >/proc/sys/net/core/dev_weight
	echo 1 >/proc/sys/net/core/netdev_budget
	talk compare 127.0.0.1 30000000 >/flapped 2>&1 &
	talker=$!
	flaps=0
	while kill -0 $talker 2>/dev/null; do
		flaps=$((flaps + 1))
		echo detach >&3
		echo attach >&3
		until [ "$(wc -l </gro_live.said)" -ge $((2 * flaps + 1)) ]; do usleep 1000; done
		usleep 10000
	done
	echo 64 >/proc/sys/net/core/dev_weight
	echo 300 >/proc/sys/net/core/netdev_budget
	echo "{\"flaps\":$flaps}"
	wait $talker && cat /flapped
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
features - tcx lo tso </dev/null
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
report taint cat /proc/sys/kernel/tainted
report dmesg dmesg
report done true
reboot -f
