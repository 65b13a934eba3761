#!/bin/busybox sh
# Pid 1 of the VM in which lockdown lets in and refuses. Answers go to the serial console as in init.sh. Refuses to go on living: it ends
# with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/ KFN_LOADER=/bin/kfn-load
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
report lsm grep . /sys/kernel/security/lsm
ask status status
foreign signed_own_before /foreign.p7s /foreign.der
policy audit
ask audit apply
# Where the kernel does not ask BPF LSM programs, there is nothing more to see.
if ! grep -q bpf /sys/kernel/security/lsm; then
	foreign unguarded
	report leftovers ls -A /sys/fs/bpf
	report done true
	reboot -f
fi

foreign noticed
ask noticed-status status
report attach kfn-load apply /plans/before.json

policy enforce
ask enforce apply
foreign denied
mkdir /tmp/disguise
cp /bin/foreign_load /tmp/disguise/kfn-load
report disguised /tmp/disguise/kfn-load disguised
cp /bin/kfn-load /bin/copy
report copy copy check /plans/before.json
report inspect kfn-load inspect
report swap kfn-load apply /plans/after.json
# The kernel has the last word on a signature that claims one of its own keyrings; one by a keyring of the caller's claims nothing.
for keyring in 0 1 2; do
	foreign "signed_$keyring" /foreign.p7s "$keyring"
done
foreign signed_3 /foreign.p7s 3
foreign signed_others /others.p7s 0
foreign signed_own /foreign.p7s /foreign.der
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
echo 0 >/proc/sys/kernel/unprivileged_bpf_disabled
report other_user foreign_load --user other_user
chmod g+w /bin/foreign_load
foreign writable
ask writable-status status
chmod g-w /bin/foreign_load
policy enforce
ask disallow apply
foreign disallowed

# What a reboot leaves, and what the kill switch does.
rm -rf /sys/fs/bpf/kfn
# The kernel detaches what is unpinned a moment later.
until [ "$(foreign_load waiting)" = loaded ]; do usleep 10000; done
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
report other_user_restored foreign_load --user other_user
report leftovers ls -A /sys/fs/bpf

# The same by the command line.
if [ -e /bin/node ]; then
	kfn() { node /kfn/dist/kfn.cjs "$@"; }
	rm /etc/kfn/lockdown.json
	report kfn-unwatched kfn lockdown enable --enforce --json
	report kfn-enable kfn lockdown enable --allow /bin/foreign_load --json
	report kfn-enforce kfn lockdown enable --enforce --disallow /bin/foreign_load --json
	foreign kfn_denied
	report kfn-status kfn lockdown status
	report kfn-disable kfn lockdown disable --json
	report kfn-policy cat /etc/kfn/lockdown.json
fi
report done true
reboot -f
