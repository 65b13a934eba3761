#!/bin/busybox sh
# Pid 1 of the power-cut test's initramfs: the disk's modules, then the Debian system on it with a pid 1 of the test's own.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
for module in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
	insmod "/modules/$module.ko"
done
mount -t ext4 /dev/vda /disk
mount -o move /dev /disk/dev
exec switch_root /disk /power-boot.sh
