#!/bin/sh
# Runs in the full Debian VM once it is up: reports what the boot did, sets up the next boot, and ends this one.
# /kfn-phase counts the boots that came this far.

report() {
	name=$1
	shift
	"$@" >/run/report 2>&1
	code=$?
	{
		echo "@@ begin $name"
		cat /run/report
		echo "@@ end $name $code $(sha256sum /run/report | cut -d ' ' -f 1)"
	} >/dev/ttyS0
}

load=/usr/lib/kfn/kfn-load
# With kfn=off there is nothing to try after the first look.
grep -qw kfn=off /proc/cmdline && off=1
phase=$(cat /kfn-phase 2>/dev/null || echo 0)
echo $((phase + 1)) >/kfn-phase

echo >/dev/ttyS0
report "kernel-$phase" uname -r
report "initramfs-$phase" cat /run/kfn/boot/initramfs.json
report "system-$phase" cat /run/kfn/boot/system.json
report "inspect-$phase" $load inspect
report "counter-$phase" cat /var/lib/kfn/boot.json
report "units-$phase" systemctl show -p Id,ActiveState,SubState,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic \
	kfn-boot.service kfn-boot-good.service systemd-networkd.service
report "failed-$phase" systemctl --failed --no-legend --plain

case ${off:+off}$phase in
0)
	# An upgrade whose generation does not come up: kfn-crash.service resets the machine at its first boot.
	ln -sfn generations/2 /var/lib/kfn/current
	touch /kfn-crash
	sync
	systemctl --force --force reboot
	;;
1)
	report crashed cat /kfn-crashed.json
	# A function for a namespace that does not exist yet; the root namespace's one would keep it out.
	ln -sfn generations/3 /var/lib/kfn/current
	systemctl restart kfn-boot.service
	report absent cat /run/kfn/boot/system.json
	mkfifo /run/kfn-seen
	ip netns add blue
	read -r _ </run/kfn-seen
	report autoload cat /run/kfn/boot/again.json
	report inspect-autoload $load inspect
	report done true
	sync
	systemctl --force --force poweroff
	;;
*)
	report done true
	sync
	systemctl --force --force poweroff
	;;
esac
