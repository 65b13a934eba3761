#!/bin/sh
# Runs in the full Debian VM once it is up, as the operator would: does the part that `vm.part=` on the kernel's command line names,
# reports what came of it, and ends or restarts the machine. /vm-test/boots counts the boots that came this far.

. /vm-test/report.sh
. /vm-test/environment
exec >/dev/ttyS0 2>&1
export HOME=/root DEBIAN_FRONTEND=noninteractive KFN_REGISTRY KFN_FINGERPRINT
load=/vm-test/load
drop_in=/run/systemd/system/kfn-autoload@netns.service.d
part=$(sed 's/.*vm.part=\([a-z]*\).*/\1/' /proc/cmdline)
boot=$(cat /vm-test/boots 2>/dev/null || echo 0)
echo $((boot + 1)) >/vm-test/boots

finish() {
	report done true
	sync
	systemctl --force --force poweroff
	exit
}

# What this boot did, and when: by the loader's own record and by systemd's.
look() {
	report "initramfs-$1" cat /run/kfn/boot/initramfs.json
	report "system-$1" cat /run/kfn/boot/system.json
	report "inspect-$1" $load inspect
	report "counter-$1" cat /var/lib/kfn/boot.json
	report "units-$1" systemctl show -p Id,ActiveState,SubState,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic \
		kfn-boot.service kfn-boot-good.service systemd-networkd.service
	report "failed-$1" systemctl --failed --no-legend --plain
}

in_image() {
	lsinitramfs "/boot/initrd.img-$(uname -r)" | grep -i kfn
}

online() {
	/lib/systemd/systemd-networkd-wait-online --interface=eth0 --timeout=60
}

# CVE-2026-46306: a bundle that leaves PPPoE to this kernel's own code, advisories, the timer, and no reboot.
security() {
	report clock-before cat /proc/uptime
	echo "{\"registry\": \"$KFN_REGISTRY\"}" >/etc/kfn/config.json
	report install-old kfn install flow-dissector@0.9.0 --scope netns:root --json
	report boot-before cat /proc/sys/kernel/random/boot_id
	report hash-before /vm-test/flow_hash /vm-test/hash_oracle.bpf.o </vm-test/flows
	report audit-before kfn audit --json
	report auto-enable kfn auto enable --mode security --parameters --json
	mkdir -p /run/systemd/system/kfn-auto.timer.d /run/systemd/system/kfn-auto.service.d
	cp /vm-test/auto-now.conf /run/systemd/system/kfn-auto.timer.d
	cp /vm-test/auto-seen.conf /run/systemd/system/kfn-auto.service.d
	systemctl daemon-reload
	mkfifo /run/vm-seen
	systemctl start kfn-auto.timer
	read -r _ </run/vm-seen
	rm /run/vm-seen
	report auto-timer systemctl show kfn-auto.timer -p ActiveState,LastTriggerUSec
	report auto-service systemctl show kfn-auto.service -p Result,ExecMainStatus
	report auto-log grep '"auto"' /var/lib/kfn/log.jsonl
	report audit-after kfn audit --json
	report hash-after /vm-test/flow_hash /vm-test/hash_oracle.bpf.o </vm-test/flows
	report boot-after cat /proc/sys/kernel/random/boot_id
	report auto-disable kfn auto disable --json
	systemctl stop kfn-auto.timer
	report clock-after cat /proc/uptime
}

install() {
	report apt apt-get install -y --no-install-recommends /vm-test/package.deb
	report online online
	report pin kfn trust root pin --fingerprint "$KFN_FINGERPRINT"
	security
	# Where the kernel is not affected, the timer had no reason to.
	[ "$(readlink /var/lib/kfn/current)" = generations/2 ] || report first kfn upgrade flow-dissector@1.0.0 --json
	report install kfn status --json
	report enable kfn boot enable --initramfs --json
	report image update-initramfs -u
	report in-image in_image
	finish
}

# An upgrade whose generation does not come up: vm-crash.service resets the machine at its first boot.
upgrade() {
	report boot-status kfn boot status --json
	online
	report upgrade kfn upgrade flow-dissector --json
	touch /vm-test/crash
	sync
	systemctl --force --force reboot
	exit
}

# A function for a namespace that does not exist yet, and then appears; the root namespace's one would keep it out.
autoload() {
	report detach kfn remove flow-dissector --json
	systemctl stop kfn-autoload.path
	ip netns add blue
	online
	report install-blue kfn install flow-dissector --scope netns:/run/netns/blue --json
	ip netns del blue
	systemctl restart kfn-boot.service
	report absent cat /run/kfn/boot/system.json
	systemctl start kfn-autoload.path
	# A drop-in of the test's own tells that the unit has run.
	mkdir -p "$drop_in"
	cp /vm-test/seen.conf "$drop_in"
	systemctl daemon-reload
	mkfifo /run/vm-seen
	ip netns add blue
	read -r _ </run/vm-seen
	rm -r /run/vm-seen "$drop_in"
	report autoload cat /run/kfn/boot/again.json
	report inspect-autoload $load inspect
}

# Whatever bears the name, but this test's own folder, and what dpkg, apt and systemd write of every package.
leavings() {
	find / /run /sys/fs/bpf -xdev \( -path /vm-test -o -path /var/log -o -path /var/cache/apt \) -prune -o -iname '*kfn*' -print
}

remove() {
	report remove apt-get remove -y kfn
	report inspect-removed $load inspect
	report purge apt-get purge -y kfn
	report image-purged update-initramfs -u
	report in-image-purged in_image
	report leavings leavings
	report units-purged systemctl list-unit-files --no-legend 'kfn*'
}

echo
report "uptime-$boot" cat /proc/uptime
case $part in
install) install ;;
boots)
	look "$boot"
	[ "$boot" = 1 ] && upgrade
	report crashed cat /vm-test/crashed.json
	autoload
	remove
	;;
*) look "$part" ;;
esac
finish
