#!/bin/bash
# dracut module: puts into the image what kfn-load needs to load the good generation, and runs it before udev. A bundle that is
# refused must not keep the machine from getting its image.

check() {
	[[ -x ${dracutsysrootdir-}/usr/lib/kfn/kfn-load ]]
}

depends() {
	return 0
}

install() {
	local said root=${dracutsysrootdir:-/}
	said=$("$root/usr/lib/kfn/kfn-load" --root "$root" boot-copy "$initdir" --release "$kernel") ||
		dwarn "kfn: this image carries no kernel functions: $said"
	inst_hook pre-udev 10 "$moddir/kfn-boot.sh"
	return 0
}
