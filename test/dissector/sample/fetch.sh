#!/usr/bin/env bash
# Gets the kernel's own BPF flow dissector, the selftest sample bpf_flow.c, out of Debian's source package into
# build/sample/, and its package's version beside it. Idempotent: what is there is not fetched again. The package (150 MB)
# is checked by apt, never installed, and not kept.
# Refuses to put the sample, which is GPL-2.0, anywhere but below build/: no commit and no bundle holds it.
# Exit 75: it cannot be had here and now, and why is the last line of stderr. Any other failure is one.
set -euo pipefail
cd "$(dirname "$0")/../../.."

# Not 6.1's: that one stops at every IPv6 header when asked to stop at a flow label, which the kernel's hash asks for.
package=linux-source-6.12
file=tools/testing/selftests/bpf/progs/bpf_flow.c
cache=$PWD/build/sample

unavailable() { printf '%s\n' "$*" >&2; exit 75; }

# As root only: apt's lists may be missing or older than what the mirror still has.
download() {
	timeout 120 apt-get -qq -o APT::Sandbox::User=root download "$package" && return
	[ "$(id -u)" = 0 ] && timeout 120 apt-get -qq update &&
		timeout 120 apt-get -qq -o APT::Sandbox::User=root download "$package"
}

[ -e "$cache/bpf_flow.c" ] && exit
command -v apt-get >/dev/null || unavailable "no apt-get, which fetches $package"
mkdir -p "$cache"
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
download >&2 || unavailable "$package cannot be downloaded from this machine's apt sources"

dpkg-deb --field "$package"_*.deb Version >version
dpkg-deb --fsys-tarfile "$package"_*.deb | tar -xO --wildcards '*.tar.xz' |
	tar -xJO --wildcards "*/$file" >bpf_flow.c
[ -s bpf_flow.c ] || { printf '%s holds no %s\n' "$package" "$file" >&2; exit 1; }
# The source last: it stands for the whole.
mv version bpf_flow.c "$cache/"
