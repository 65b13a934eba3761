#!/bin/busybox sh
# Pid 1 of the VM that tries packages/tso under the conditions that its README names: queues that spread by socket or not, and a
# machine without memory in blocks. Refuses to go on living: whatever happens, it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
dmesg -n 1

. /report.sh

# says PID WORD FILE: waits until the process has said it; fails when that ends before.
says() {
	until grep -q "$2" "$3" 2>/dev/null; do
		kill -0 "$1" || return 1
		usleep 10000
	done
}

# NAME of /proc/net/netstat and /proc/net/snmp.
counter() {
	awk -v name="$1" '$1 in seen { for (i in head) if (head[i] == name) print $i; next }
		{ seen[$1]; split($0, head) }' /proc/net/netstat /proc/net/snmp
}

# transfer kernel|program: 4 MB, segmented by either; what was sent, received, seen of the order, and run.
transfer() {
	rm -f /held /received
	object=-
	[ "$1" = kernel ] || object=/tso.bpf.o
	mkfifo /until
	hold "$object" clsact lo tso </until >/held 2>&1 &
	holder=$!
	exec 3>/until
	says $holder attached /held || return
	stream receive 127.0.0.1 5001 >/received &
	receiver=$!
	says $receiver ready /received || return
	reordered=$(counter TCPOFOQueue)
	again=$(counter RetransSegs)
	stream send 127.0.0.1 5001 4000000 hash
	exec 3>&-
	wait $receiver $holder
	tail -n 1 /received
	echo "{\"reordered\":$(($(counter TCPOFOQueue) - reordered)),\"again\":$(($(counter RetransSegs) - again))}"
	tail -n 1 /held
	rm /until
}

# queue KIND ARGUMENTS…: both ways through one.
queue() {
	kind=$1
	/tools/tc qdisc add dev lo root "$@"
	report "$kind-kernel" transfer kernel
	report "$kind-program" transfer program
	/tools/tc qdisc del dev lo root
}

fragmented() {
	ulimit -n 4096
	mkfifo /until-fragmented
	fragment </until-fragmented >/fragmented &
	exec 5>/until-fragmented
	says $! fragmented /fragmented || return
	cat /fragmented
}

# The firmware leaves escape codes on the first line.
echo
for file in /modules/*.ko; do insmod "$file"; done
report kernel uname -r
ip link set lo up
ip link set lo mtu 1500
queue tbf rate 60mbit burst 40k limit 400k
queue fq_codel
queue fq maxrate 60mbit
report plenty transfer program
report fragmented fragmented
report scarce transfer program
report done true
reboot -f
