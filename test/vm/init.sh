#!/bin/busybox sh
# Pid 1 of the test VM: runs the loader in the VM's own root namespace and writes its answers, between markers, to the
# serial console. Refuses to go on living: whatever happens, it ends with a reboot, which ends QEMU.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
dmesg -n 1

. /report.sh

# Receive packet steering asks the flow dissector about each packet of the loopback device.
packets() {
	ip link set lo up &&
		echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus &&
		echo 1 >/proc/sys/kernel/bpf_stats_enabled &&
		ping -c 5 -A -q 127.0.0.1
}

# The replay's answers in one report, what the counter on the same program saw of them in the other.
watched_replay() {
	mkfifo /until
	kfn-load watch flow-dissector netns:root </until >/watched &
	exec 3>/until
	until [ -s /watched ]; do usleep 10000; done
	report replay-attached kfn-load replay flow-dissector netns:root </frames/questions
	exec 3>&-
	wait
	report watched tail -n 1 /watched
}

# Those of other kernels are refused by their version.
insert_modules() {
	for module in sch_ingress cls_bpf; do
		for file in /modules/*/$module.ko; do insmod "$file" 2>/dev/null && break; done
	done
	true
}

# What leaves by the loopback device while the counter hangs on the program there.
watched_device() {
	mkfifo /until-device
	kfn-load watch pass dev:lo </until-device >/watched-device &
	exec 4>/until-device
	until [ -s /watched-device ]; do usleep 10000; done
	report tc-ping ping -c 5 -A -q 127.0.0.1
	exec 4>&-
	wait
	report tc-watched tail -n 1 /watched-device
}

# The firmware leaves escape codes on the first line.
echo
report kernel uname -r
report version uname -v
report probe kfn-load probe
report check kfn-load check /plans/before.json
report check-real kfn-load check /plans/after.json
report check-everything kfn-load check /plans/everything.json
report check-signed kfn-load check /plans/signed.json
report hash-c flow_hash /hash_oracle.bpf.o </frames/flows
report attach kfn-load apply /plans/before.json
report packets packets
report inspect-attached kfn-load inspect
report replace kfn-load apply /plans/after.json
report keep kfn-load apply /plans/after.json
report inspect-replaced kfn-load inspect
report tampered kfn-load apply /plans/tampered.json
report inspect-tampered kfn-load inspect
report hash-attached flow_hash /hash_oracle.bpf.o </frames/flows
watched_replay
report prove kfn-load prove /plans/after.json
report prove-other kfn-load prove /plans/patched.json
report patch kfn-load apply /plans/patched.json
report hash-patched flow_hash /hash_oracle.bpf.o </frames/flows
report replay-patched kfn-load replay flow-dissector netns:root </frames/questions
report detach kfn-load apply /plans/empty.json
report inspect-detached kfn-load inspect
report hash-detached flow_hash /hash_oracle.bpf.o </frames/flows
insert_modules
report tc-attach kfn-load apply /plans/tc-one.json
watched_device
report tc-inspect kfn-load inspect
report tc-prove kfn-load prove /plans/tc-one.json
report tc-prove-other kfn-load prove /plans/tc-two.json
report tc-replace kfn-load apply /plans/tc-two.json
report tc-keep kfn-load apply /plans/tc-two.json
report tc-detach kfn-load apply /plans/empty.json
report tc-gone kfn-load inspect
report done true
reboot -f
