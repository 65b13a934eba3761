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

# transfer ADDRESS: 20 MB through the program, hashed at both ends.
transfer() {
	mkfifo /until
	hold /tso.bpf.o "$hook" lo tso </until >/held 2>/dev/null &
	exec 3>/until
	until grep -q attached /held; do usleep 10000; done
	stream receive "$1" 5001 >/received &
	until grep -q ready /received; do usleep 10000; done
	stream send "$1" 5001 20000000 hash
	exec 3>&-
	wait
	tail -n 1 /received
	tail -n 1 /held
	rm /until
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
report done true
reboot -f
