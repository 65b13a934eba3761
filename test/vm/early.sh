# Goes on from initramfs-tools' own scripts, with the busybox that the test brought: says what kfn's script did in this boot, and ends
# the machine before it looks for a root.
/vm-test/busybox mkdir -p /vm-test/bin
/vm-test/busybox --install -s /vm-test/bin
export PATH=/vm-test/bin:/usr/lib/kfn
. /vm-test/report.sh
exec >/dev/ttyS0 2>&1
echo
report kernel uname -r
report early cat /run/kfn/boot/initramfs.json
report inspect kfn-load inspect
report keys kfn-load kernel-keys
report done true
reboot -f
