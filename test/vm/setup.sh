#!/usr/bin/env bash
# Gets what the VM tests need: QEMU, busybox and others from the machine's own apt, and Debian's cloud kernels, unpacked into
# build/vm/kernels/<series>/ and never installed, what a module for one of them is built with, in build/vm/headers/<series>/, and a
# small Debian system as build/vm/system.tar. Idempotent: what is there is not fetched again.
# Refuses to touch the machine's apt sources: the suites of the kernels are known to one private folder only.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=$PWD/build/vm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages=(qemu-system-x86 busybox-static cpio mmdebstrap e2fsprogs systemd gcc-12)

# Series, whether the tests can do without, package. The newest match is taken. 6.1.170 is bookworm's own, from before
# the fix of CVE-2026-46306 in 6.1.175; bookworm-security goes on from there.
kernels=(
	'6.1 required ^linux-image-6\.1\.0-[0-9]+-cloud-amd64$'
	'6.1.170 optional ^linux-image-6\.1\.0-47-cloud-amd64$'
	'6.12 required ^linux-image-6\.12\.[0-9]+\+deb12-cloud-amd64$'
	'5.10 optional ^linux-image-5\.10\.0-[0-9]+-cloud-amd64$'
	'7 optional ^linux-binary-7\.[0-9.]+\+deb13-cloud-amd64$'
)
suites=('debian bookworm' 'debian-security bookworm-security' 'debian-security bullseye-security'
	'debian trixie-backports')

say() { printf 'setup (vm): %s\n' "$*" >&2; }
die() { printf 'setup (vm): %s\n' "$*" >&2; exit 1; }

install_packages() {
	local missing=() package
	for package in "${packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = 'ii ' ] || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	[ "$(id -u)" = 0 ] || die "missing packages, and not root: apt-get install ${missing[*]}"
	say "apt-get install ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# apt with sources, lists and cache of its own.
private_apt() {
	local command=$1
	shift
	"$command" -qq -o Dir::Etc::sourcelist="$cache/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" -o APT::Sandbox::User=root "$@"
}

prepare_apt() {
	[ -e "$cache/apt/ready" ] && return
	[ -e "$keyring" ] || die "no $keyring: install debian-archive-keyring"
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	local suite
	for suite in "${suites[@]}"; do
		printf 'deb [arch=amd64 signed-by=%s] http://deb.debian.org/%s main\n' "$keyring" "$suite"
	done >"$cache/apt/sources.list"
	# A suite out of reach only warns; whether its kernel was needed is seen below.
	private_apt apt-get update >&2 || true
	touch "$cache/apt/ready"
}

# Unpacks the newest kernel of a series; the folder appears whole or not at all. Says on stdout why not.
fetch_kernel() {
	local series=$1 pattern=$2 folder=$cache/kernels/$1 package work deb
	prepare_apt
	package=$(private_apt apt-cache search --names-only "$pattern" | cut -d' ' -f1 | sort -V | tail -n 1)
	[ -n "$package" ] || { printf 'no package matches %s\n' "$pattern"; return 1; }
	say "$package"
	work=$(mktemp -d "$cache/kernels/.new-XXXXXX") || return 1
	(cd "$work" && private_apt apt-get download "$package" >&2) || { printf '%s: download failed\n' "$package"; return 1; }
	deb=$(find "$work" -name '*.deb')
	# /boot/vmlinuz-RELEASE up to 6.x, /usr/lib/modules/RELEASE/vmlinuz from 7.x on.
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" --wildcards '*/vmlinuz*' --transform 's|.*/.*|vmlinuz|' ||
		{ printf '%s: holds no kernel\n' "$package"; return 1; }
	# What a kernel without tcx needs of modules, for the hook of a device (kfn loads none itself), and veth for the tests' namespaces.
	mkdir "$work/modules" || return 1
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/modules" --wildcards '*/sch_ingress.ko*' '*/cls_bpf.ko*' '*/veth.ko*' \
		--transform 's|.*/||' 2>/dev/null || true
	find "$work/modules" -name '*.xz' -exec xz -d {} + || return 1
	# `|| return` after each step: within a condition, `set -e` does not stop the function.
	rm "$deb" && rm -rf "$folder" && chmod 755 "$work" && mv "$work" "$folder" || return 1
}

# An older setup took no veth, which one series needs; a kernel that Debian may not offer any more stays as it was fetched.
has_modules() {
	local modules=$cache/kernels/$1/modules
	[ -e "$modules" ] && { [ "$1" != 6.12 ] || [ -e "$modules/veth.ko" ]; }
}

# What `uname -r` says of a kernel (Documentation/arch/x86/boot.rst, kernel_version).
release_of() {
	local image=$cache/kernels/$1/vmlinuz at
	at=$(od -An -tu2 -j526 -N2 "$image")
	dd if="$image" bs=1 skip=$((at + 512)) count=100 2>/dev/null | tr '\0' ' ' | cut -d' ' -f1
}

# Unpacks the headers and build tools of a series' kernel, as it was fetched; the folder appears whole or not at all. Of the series
# whose tools run on this machine and whose compiler it has.
fetch_headers() {
	local series=$1 release folder=$cache/headers/$1 work deb
	release=$(release_of "$series")
	[ "$(cat "$folder/release" 2>/dev/null)" = "$release" ] && return
	prepare_apt
	say "linux-headers-$release"
	work=$(mktemp -d "$cache/headers/.new-XXXXXX")
	local base=${release%-cloud-amd64}
	(cd "$work" && private_apt apt-get download "linux-headers-$release" "linux-headers-$base-common" "linux-kbuild-$base" >&2) ||
		die "no headers of $release: remove build/vm/kernels/$series for the kernel that Debian has now"
	for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work"; done
	rm -r "$work"/*.deb "$work/usr/share"
	sed -i 's|^include /usr/src/|include ../|' "$work/usr/src/linux-headers-$release/Makefile"
	printf '%s\n' "$release" >"$work/release"
	rm -rf "$folder"
	chmod 755 "$work"
	mv "$work" "$folder"
}

# A Debian system with systemd, both makers of initramfs images and a kernel with its modules: a minute, most of it dpkg. Of dracut
# the package that has dracut: the one of that name has the kernel's hooks, and conflicts with initramfs-tools. The kernel is one that
# has CVE-2026-46306, as long as bookworm offers it; else its newest, and the test of that patch says that it had none.
make_system() {
	local parts=systemd,systemd-sysv,udev,initramfs-tools,dracut-core,iproute2,kmod,zstd
	local wanted=$parts,linux-image-6.1.0-47-cloud-amd64
	[ -e "$cache/system.tar" ] && [ "$(cat "$cache/system.parts" 2>/dev/null)" = "$wanted" ] && return
	say "a Debian system: $wanted"
	debian_system "$wanted" || debian_system "$parts,linux-image-cloud-amd64" || die "mmdebstrap could not make a Debian system"
	rm -f "$cache/system.parts"
	mv "$cache/.system.tar" "$cache/system.tar"
	printf '%s\n' "$wanted" >"$cache/system.parts"
}

debian_system() {
	mmdebstrap --quiet --variant=minbase --include="$1" --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$cache/.system.tar" \
		http://deb.debian.org/debian >&2
}

install_packages
mkdir -p "$cache/kernels" "$cache/headers"
# The lists of four suites are worth fetching again only for the next new kernel; a failed run must not leave them half.
trap 'rm -rf "$cache/apt" "$cache"/kernels/.new-* "$cache"/headers/.new-*' EXIT
for line in "${kernels[@]}"; do
	read -r series need pattern <<<"$line"
	has_modules "$series" && continue
	if ! why=$(fetch_kernel "$series" "$pattern"); then
		[ "$need" = optional ] || die "kernel $series: $why"
		say "kernel $series is left out: $why"
		rm -rf "$cache/kernels/$series" "$cache"/kernels/.new-*
		mkdir "$cache/kernels/$series"
		printf '%s\n' "$why" >"$cache/kernels/$series/unavailable"
	fi
done
fetch_headers 6.12
make_system
