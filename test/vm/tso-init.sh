#!/bin/busybox sh
# Pid 1 of the VM that tries packages/tso on its own loopback device: same packets as the kernel's, and TCP through it. Refuses to go
# on living: whatever happens, it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
dmesg -n 1

. /report.sh

# Of the kernels' modules those that this one takes; a kernel with tcx links needs none.
insert_modules() {
	for module in sch_ingress cls_bpf; do
		for file in /modules/*/$module.ko; do insmod "$file" 2>/dev/null && break; done
	done
}

# says WORD FILE: waits until the last process of the background has said it; fails when that ends before.
says() {
	until grep -q "$1" "$2" 2>/dev/null; do
		kill -0 $! || return 1
		usleep 10000
	done
}

# What the last transfer said is not what the next one says.
forget() {
	rm -f /held /received /watched
}

# transfer ADDRESS: 20 MB through the program, hashed at both ends.
transfer() {
	forget
	mkfifo /until
	hold /tso.bpf.o "$hook" lo tso </until >/held 2>/dev/null &
	exec 3>/until
	says attached /held || return
	stream receive "$1" 5001 >/received &
	says ready /received || return
	stream send "$1" 5001 20000000 hash
	exec 3>&-
	wait
	tail -n 1 /received
	tail -n 1 /held
	rm /until
}

# with_ecn MODE kernel|program: 20 MB with congestion on the way, segmented by either; then what ecn_watch saw.
with_ecn() {
	forget
	echo "$1" >/proc/sys/net/ipv4/tcp_ecn
	mkfifo /until-hold /until-watch
	if [ "$2" = program ]; then
		hold /tso.bpf.o "$hook" lo tso </until-hold >/held 2>/dev/null &
		exec 3>/until-hold
		says attached /held || return
	fi
	ecn_watch /watch.bpf.o "$hook" lo </until-watch >/watched &
	exec 4>/until-watch
	says watching /watched || return
	stream receive 127.0.0.1 5001 >/received &
	says ready /received || return
	stream send 127.0.0.1 5001 20000000 hash
	exec 3>&- 4>&-
	wait
	for file in /received /watched /held; do [ -e $file ] && tail -n 1 $file; done
	rm /until-hold /until-watch
}

# The firmware leaves escape codes on the first line.
echo
insert_modules
hook=tcx
case $(uname -r) in 6.1.*) hook=clsact ;; esac
report kernel uname -r
ip link set lo up
report table differential /tso.bpf.o $hook lo lo table 0 1000
report random differential /tso.bpf.o $hook lo lo 1 0 300
ip link set lo mtu 1500
report ipv4 transfer 127.0.0.1
report ipv6 transfer ::1
report ecn-kernel with_ecn 1 kernel
report ecn-program with_ecn 1 program
case $(uname -r) in 7.*)
	report accecn-kernel with_ecn 3 kernel
	report accecn-program with_ecn 3 program
	;;
esac
report done true
reboot -f
