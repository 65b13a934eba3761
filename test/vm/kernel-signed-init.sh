#!/bin/busybox sh
# Pid 1 of the VM in which the kernel checks signatures: installs a signed bundle with the real command line, then asks the loader about
# others. Answers go to the serial console as in init.sh. Refuses to go on living: it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/ KFN_LOADER=/bin/kfn-load
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
dmesg -n 1

. /report.sh

kfn() { node /kfn/dist/kfn.cjs "$@"; }
ask() { report "$1" kfn-load "$2" "/plans/$3.json"; }

echo
report version uname -v
report keys kfn-load kernel-keys
ask honest check honest
ask forged check forged
ask tuned check tuned
mv /etc/kfn/trust/kernel-keys /taken
ask unknown check honest
mv /taken /etc/kfn/trust/kernel-keys
# Installing clears away what no generation names.
mv /var/lib/kfn/store /kept
report install kfn install /flow-dissector-1.0.1.kfn --scope netns:root --json
report status kfn status --json
report keep kfn-load apply /var/lib/kfn/current/plan.json
mv /etc/kfn/trust/kernel-keys /taken
report keep-unknown kfn-load apply /var/lib/kfn/current/plan.json
mv /taken /etc/kfn/trust/kernel-keys
mv /kept/* /var/lib/kfn/store
rm /var/lib/kfn/store/*/kfn.kernel-sig.json
ask stripped check honest
ask unsigned apply honest
report inspect-unsigned kfn-load inspect
report done true
reboot -f
