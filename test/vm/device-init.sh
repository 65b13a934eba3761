#!/bin/busybox sh
# Pid 1 of the VM with the test device: loads its driver, asks devlink and ethtool about it, has both ports' wire compared with the
# software function, changes its firmware, and takes it away. Refuses to go on living: it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin:/tools
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
mount -t tmpfs run /run
dmesg -n 1

. /report.sh

slot=0000:00:04.0

# busybox has an ip of its own, and takes it whatever PATH says.
ip() { /tools/ip "$@"; }

# compare NAME OBJECT table|SEED COUNT [MSS]: what the device makes, and what the object makes while the port has TSO off.
compare() {
	report "$1" differential "/$2.bpf.o" tcx eth0 eth1 "$3" 0 "$4" device $5
	report "stats-$1" ethtool -S eth0
}

# Of the port, in ethtool's words: what is on, and in brackets what was asked for where that differs.
features() {
	report "features$1" sh -c "ethtool -k eth0 | grep -E 'tx-tcp6?-segmentation'"
}

flash() {
	report "flash-$1" devlink dev flash "pci/$slot" file "$1.fw"
	report "info-flashed-$1" devlink -j dev info "pci/$slot"
	report "reload-$1" devlink -j dev reload "pci/$slot" action fw_activate
	report "info-$1" devlink -j dev info "pci/$slot"
	features "-$1"
}

# transfer ADDRESS: 4 MB from one namespace to the other, hashed at both ends.
transfer() {
	ip netns exec right stream receive "$1" 5001 >/received &
	until grep -q ready /received; do usleep 10000; done
	ip netns exec left stream send "$1" 5001 4000000 hash
	wait
	tail -n 1 /received
	ip netns exec right grep ^Tcp: /proc/net/snmp
}

address() {
	ip netns add "$1"
	ip link set "$2" netns "$1"
	ip -n "$1" link set "$2" mtu 1500 up
	ip -n "$1" address add "198.18.0.$3/24" dev "$2"
	ip -n "$1" -6 address add "2001:db8::$3/64" dev "$2" nodad
}

up() {
	for port in eth0 eth1; do
		echo 1 >/proc/sys/net/ipv6/conf/$port/disable_ipv6
		ip link set $port mtu 65535 up
	done
}

# The firmware leaves escape codes on the first line.
echo
report kernel uname -r
report insmod insmod /kfn_device.ko
report info devlink -j dev info
report drvinfo ethtool -i eth0
features
report link ip -j -d link show dev eth0
devlink mon dev port >/monitor &
monitor=$!
up
ethtool -K eth0 tso on
features -on
compare table first table 1000
compare random first 1 400

flash second
compare second second 2 400 48
flash none
report none-on ethtool -K eth0 tso on
flash psh
compare psh first table 1000
flash id
compare id first table 1000
report flash-broken devlink dev flash "pci/$slot" file broken.fw
report info-broken devlink -j dev info "pci/$slot"

echo 1 >"/sys/bus/pci/devices/$slot/remove"
report info-removed devlink -j dev info
report carrier-removed cat /sys/class/net/eth1/carrier
echo 1 >/sys/bus/pci/rescan
report info-back devlink -j dev info "pci/$slot"
features -back
kill $monitor
report monitor cat /monitor

rmmod kfn_device
insmod /kfn_device.ko
address left eth0 1
address right eth1 2
ip netns exec left ethtool -K eth0 tso on
report ipv4 transfer 198.18.0.2
report ipv6 transfer 2001:db8::2
report stats-transfer ip netns exec left ethtool -S eth0
rmmod kfn_device
report complaints sh -c "dmesg | grep -E 'WARNING|BUG|Oops|Call Trace'"
report done true
reboot -f
