#!/bin/busybox sh
# Pid 1 of the VM in which a host gives tso to the test device, with the real command line: catalogues that do not count, one that does, a
# patch of the host, firmware that has it, and firmware that lies. Refuses to go on living: it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
# Half of a start of the command line is compiling it.
export PATH=/bin:/tools HOME=/ KFN_LOADER=/bin/kfn-load NODE_COMPILE_CACHE=/run/compiled
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
dmesg -n 1

. /report.sh

slot=0000:00:04.0
catalogues=/etc/kfn/catalogues

kfn() { node /kfn/dist/kfn.cjs "$@" --json; }
ip() { /tools/ip "$@"; }

# What the kernel says: the device's features, and the programs at its port.
look() {
	report "features-$1" sh -c "ethtool -k eth0 | grep -E 'tx-tcp6?-segmentation'"
	report "inspect-$1" kfn-load inspect
}

flash() {
	report "flash-$1" devlink dev flash "pci/$slot" file "$1.fw"
	report "reload-$1" devlink -j dev reload "pci/$slot" action fw_activate
}

# The one catalogue that the operator has.
says() {
	cp "/catalogues/$1.json" $catalogues/edu.json
}

echo
report kernel uname -r
insmod /modules/veth.ko
report insmod insmod /kfn_device.ko
for port in eth0 eth1; do
	echo 1 >/proc/sys/net/ipv6/conf/$port/disable_ipv6
	ip link set $port up
done
mkdir -p $catalogues
report install kfn install /tso-1.0.0.kfn --scope dev:eth0 --health-window 0
for catalogue in unsigned foreign stale lying; do
	says $catalogue
	report "enable-$catalogue" kfn offload enable eth0
done
look refused

says good
report enable kfn offload enable eth0
look in
report probe kfn offload probe eth0 --peer eth1

report patch kfn upgrade /tso-1.0.1.kfn --health-window 0
look out
flash second
report follow kfn offload watch --once
look back

flash psh
look reset
report rollback kfn rollback --health-window 0
look believed
report probe-psh kfn offload probe eth0 --peer eth1
look caught

report disable kfn offload disable eth0
look disabled
report log cat /var/lib/kfn/log.jsonl
report uptime cat /proc/uptime
report done true
reboot -f
