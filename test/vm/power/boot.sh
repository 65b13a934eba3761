#!/bin/sh
# Pid 1 on the disk of the power-cut test: loads as a boot does, says that the machine came up, and runs the loop.
exec >/dev/ttyS0 2>&1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs run /run
# As systemd does; with nothing installed, the loader would not.
mount -t bpf bpf /sys/fs/bpf
dmesg -n 1
echo
echo "@@ boot $(/usr/lib/kfn/kfn-load boot)"
echo "@@ good $(/usr/lib/kfn/kfn-load boot-good)"
# Nothing that lives for some seconds is worth optimising: an eighth of its time.
/node --liftoff-only --no-opt --max-lazy /loop.cjs
echo "@@ ended $?"
echo o >/proc/sysrq-trigger
