#!/bin/busybox sh
# Pid 1 of the VM that is all initramfs: boots the loader as an initramfs and as a system would, several times in one run, and
# writes what it answers to the serial console. Refuses to go on living: it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
dmesg -n 1

. /report.sh

# Nothing pinned, and another boot_id: what the machine would be after a reboot.
reboot_as() {
	rm -rf /sys/fs/bpf/kfn
	umount /proc/sys/kernel/random/boot_id 2>/dev/null
	cat /proc/sys/kernel/random/uuid >/boot_id
	mount -o bind /boot_id /proc/sys/kernel/random/boot_id
}

current() {
	ln -sfn "generations/$1" /var/lib/kfn/current
}

flags() {
	for device in /sys/class/net/*; do
		echo "${device##*/} $(cat "$device/flags")"
	done
}

packets() {
	ip link set lo up &&
		echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus &&
		echo 1 >/proc/sys/kernel/bpf_stats_enabled &&
		ping -c 5 -A -q 127.0.0.1
}

echo
report kernel uname -r
current 1
report flags-before flags
report initramfs kfn-load boot --stage initramfs
report flags-after flags
report packets packets
report inspect kfn-load inspect
report system kfn-load boot
report good kfn-load boot-good
for kind in 2 3 4; do
	reboot_as
	current $kind
	rm -f /var/lib/kfn/good /var/lib/kfn/boot.json
	report "refused-$kind" kfn-load boot
	report "inspect-$kind" kfn-load inspect
done
# The good generation, in the same boot, for the one that does not fit this kernel.
reboot_as
rm -f /var/lib/kfn/boot.json
ln -sfn generations/1 /var/lib/kfn/good
report fallback kfn-load boot
# Boots that do not come up: the current one, the good one, none.
rm -f /var/lib/kfn/boot.json
current 5
for n in 1 2 3; do
	reboot_as
	report "boot-$n" kfn-load boot
	report "inspect-boot-$n" kfn-load inspect
done
report done true
reboot -f
