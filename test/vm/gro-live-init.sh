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

# Where programs are attached: a device, and what leads into its namespace.
device=lo
inside=

# start FD NAME ARGUMENTS…: a program of /NAME.o is attached when it comes back; FD takes the lines of stdin, /NAME.said what it says.
start() {
	rm -f "/$2.in"
	mkfifo "/$2.in"
	$inside hold "/$2.o" "$device" $3 <"/$2.in" >"/$2.said" 2>&1 &
	holder=$!
	eval "exec $1>/$2.in"
	until grep -q attached "/$2.said"; do usleep 1000; done
}

# with COMMAND…: what it says, then what the program counted meanwhile.
with() {
	start 3 gro_live ingress
	local own=$holder
	"$@" || return 1
	answer stats
	exec 3>&-
	wait $own
}

# lossy COMMAND…: some packets are dropped between the queue and the program.
lossy() {
	start 4 drop "ingress before"
	local own=$holder
	"$@" || return 1
	exec 4>&-
	wait $own
}

# What the program says after a line of stdin.
answer() {
	lines=$(($(wc -l </gro_live.said) + 1))
	echo "$1" >&3
	until [ "$(wc -l </gro_live.said)" -ge $lines ]; do usleep 1000; done
	tail -n 1 /gro_live.said
}

# The program comes and goes while bytes flow, until it went in mid-train: after at most 20 streams. Few packets a turn: then the CPU
# leaves the backlog in mid-train often.
flapping() {
	echo 1 >/proc/sys/net/core/dev_weight
	echo 1 >/proc/sys/net/core/netdev_budget
	streams=0
	while answer stats | grep -q '"missed":0' && [ $streams -lt 20 ]; do
		streams=$((streams + 1))
		talk compare 127.0.0.1 5000000 >/flapped 2>&1 &
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

# namespace NAME: an empty one, which lives as long as a process in it.
namespace() {
	unshare -n sleep 1000000 &
	echo $! >"/$1.pid"
	until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do usleep 1000; done
}

within() {
	local where=$1
	shift
	nsenter --net=/proc/$(cat "/$where.pid")/ns/net "$@"
}

# wire FROM TO NUMBER: veth wNUMBER in FROM has 10.0.NUMBER.1, vNUMBER in TO has .2.
wire() {
	ip link add "w$3" type veth
	ip link set veth0 name "v$3"
	ip link set "w$3" netns "$(cat "/$1.pid")"
	ip link set "v$3" netns "$(cat "/$2.pid")"
	within "$1" ip addr add "10.0.$3.1/24" dev "w$3"
	within "$2" ip addr add "10.0.$3.2/24" dev "v$3"
	within "$1" ip link set "w$3" up
	within "$2" ip link set "v$3" up
}

# A sender, two routers and a receiver in a row.
lay_row() {
	echo $$ >/here.pid
	local router
	for router in one two; do namespace $router; done
	namespace end
	wire here one 1
	wire one two 2
	wire two end 3
	ip route add default via 10.0.1.2
	within one ip route add default via 10.0.2.2
	within two ip route add default via 10.0.2.1
	within end ip route add default via 10.0.3.1
	for router in one two; do within $router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; done
	features w1 tso off
	within end features v3 tso off
}

# at NAMESPACE DEVICE COMMAND…: the program is at that device meanwhile.
at() {
	inside="nsenter --net=/proc/$(cat "/$1.pid")/ns/net"
	device=$2
	shift 2
	with "$@" "/proc/$(cat /end.pid)/ns/net"
}

# figures: five times in turn, at the receiver of the row: nothing, this program, the kernel's GRO.
figures() {
	there=/proc/$(cat /end.pid)/ns/net
	for round in 1 2 3 4 5; do
		for verb in "compare 10.0.3.2 20000000" "ask 10.0.3.2 300"; do
			echo "none $(talk $verb $there)"
			echo "here $(at end v3 talk $verb)"
			within end features v3 gro on
			echo "kernel $(talk $verb $there)"
			within end features v3 gro off
		done
	done
}

# The firmware leaves escape codes on the first line.
echo
report kernel uname -r
bytes=4000000
for word in $(cat /proc/cmdline); do
	case $word in kfn.bytes=*) bytes=${word#*=} ;; esac
done
ip link set lo up
ip link set lo mtu 1500
# Segments, as no device sends superpackets.
features lo tso off
report without talk ask 127.0.0.1 500
report ask with talk ask 127.0.0.1 500
report exchange with talk exchange 127.0.0.1 288
report hash with talk hash 127.0.0.1 $bytes
report ipv4 with talk compare 127.0.0.1 15000000
report ipv6 with talk compare ::1 10000000
report turns with one_by_one talk compare 127.0.0.1 5000000
report before with lossy talk compare 127.0.0.1 1000000
report overflow with overflowing talk compare ::1 2000000
report flapping with flapping
mount -t bpf bpf /sys/fs/bpf
report unasked kfn-load apply /plans/unasked.json
report bundle kfn-load apply /plans/live.json
report loaded talk compare 127.0.0.1 3000000
report pins kfn-load inspect
report proof kfn-load prove /plans/live.json
report removed kfn-load apply /plans/empty.json
for file in /modules/*/veth.ko; do insmod "$file" 2>/dev/null && has_veth=1 && break; done
if [ "$has_veth" ]; then
	report row lay_row
	report end at end v3 talk compare 10.0.3.2 6000000
	report sender at one v1 talk compare 10.0.3.2 2000000
	report router at two v2 talk compare 10.0.3.2 2000000
	[ $bytes = 4000000 ] || report figures figures
fi
report taint cat /proc/sys/kernel/tainted
report dmesg dmesg
report done true
reboot -f
