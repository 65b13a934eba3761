#!/bin/busybox sh
# Pid 1 of the VM in which `kfn-load lockdown` lets in and refuses. Answers go to the serial console as in init.sh. Refuses to go on
# living: it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
dmesg -n 1

. /report.sh

policy() {
	mkdir -p /etc/kfn
	echo "{ \"schema\": \"kfn.lockdown/1\", \"mode\": \"$1\", \"allow\": [$2] }" >/etc/kfn/lockdown.json
}
# Another inode, as after an upgrade of the package.
upgrade() {
	cp /bin/kfn-load /bin/kfn-load.new
	mv /bin/kfn-load.new /bin/kfn-load
}
ask() { report "$1" kfn-load lockdown "$2"; }
foreign() { report "$1" foreign_load "$@"; }

echo
report kernel uname -r
report lsm cat /sys/kernel/security/lsm
ask status status
policy audit
ask audit apply
if grep -q nolockdown /proc/cmdline; then
	foreign unguarded
	report done true
	reboot -f
fi

foreign noticed
ask noticed-status status
report attach kfn-load apply /plans/before.json

policy enforce
ask enforce apply
foreign denied
foreign renamed
cp /bin/kfn-load /bin/copy
report copy copy check /plans/before.json
report inspect kfn-load inspect
report swap kfn-load apply /plans/after.json
# The kernel has the last word on a signature that claims one of its own keyrings; one by a keyring of the caller's claims nothing.
for keyring in 0 1 2; do
	foreign "signed_$keyring" /foreign.p7s "$keyring"
done
foreign signed_3 /foreign.p7s 3
foreign signed_own /foreign.p7s /kernel.key.der
report signed kfn-load apply /plans/signed.json
ask enforced-status status

upgrade
report upgraded kfn-load check /plans/before.json
ask upgraded-status status
ask refreshed apply
report refreshed-check kfn-load check /plans/before.json

policy enforce '"/bin/foreign_load"'
ask allow apply
foreign allowed
chmod g+w /bin/foreign_load
foreign writable
ask writable-status status
chmod g-w /bin/foreign_load
policy enforce
ask disallow apply
foreign disallowed

# What a reboot leaves, and what the kill switch does.
rm -rf /sys/fs/bpf/kfn
foreign unpinned
mkdir -p /var/lib/kfn
report boot kfn-load boot
foreign booted
touch /etc/kfn/off
report boot-off kfn-load boot
foreign switched_off
rm /etc/kfn/off
ask again apply
ask off off
foreign restored
report leftovers ls -A /sys/fs/bpf
report done true
reboot -f
