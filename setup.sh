#!/usr/bin/env bash
# Brings a fresh clone to where `npm test` and `npm run demo` can start: apt packages, npm packages (with the
# project's own node), the loader, the CLI as one file, and the bundles. Idempotent: what is there is not done again.
# Refuses to guess: what it cannot install it names, and stops.
set -euo pipefail
cd "$(dirname "$0")"

mode=${1:-}
say() { [ "$mode" = --quiet ] || printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# What the build needs; then what the kernel tests, the demo and the benchmarks run.
packages=(clang-19 gcc libc6-dev make pkg-config libbpf-dev libelf-dev zlib1g-dev libsodium-dev libjansson-dev
	libmnl-dev ethtool zstd xz-utils openssl libclang-rt-19-dev iproute2 bpftool tcpdump tcpreplay strace procps util-linux patch
	apt-utils gnupg python3-securesystemslib zsh fish)
[ "$mode" = --fast ] && packages=(clang-19 gcc libc6-dev make pkg-config libbpf-dev libelf-dev zlib1g-dev
	libsodium-dev libjansson-dev libmnl-dev libclang-rt-19-dev zstd patch openssl)

# Names the packages that dpkg does not hold as installed.
missing_packages() {
	local have
	have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^ii //p' || true)
	comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(printf '%s\n' "$have" | sort -u)
}

install_apt() {
	local missing
	command -v dpkg-query >/dev/null || die "this is not a Debian system: install by hand: ${packages[*]}"
	mapfile -t missing < <(missing_packages)
	[ ${#missing[@]} -eq 0 ] && return
	[ "$(id -u)" = 0 ] || die "missing packages, and not root: apt-get install ${missing[*]}"
	say "apt-get install ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# npm ci only when the lock file is not the one that was installed last.
install_npm() {
	local want
	want=$(sha256sum package-lock.json | cut -d' ' -f1)
	if [ "$(cat node_modules/.kfn-lock 2>/dev/null)" != "$want" ]; then
		say "npm ci"
		npm ci --no-audit --no-fund --loglevel=error >&2
		printf '%s' "$want" >node_modules/.kfn-lock
	fi
	export PATH="$PWD/node_modules/.bin:$PATH"
	node -e 'process.exit(process.versions.node.split(".")[0] >= 24 ? 0 : 1)' ||
		die "node_modules/.bin/node is not the project's own: remove node_modules and run again"
}

build() {
	say "loader"
	make -s -C host/native
	make -s -C host/offload/native
	say "command line"
	node cli/bundle.ts
	ln -sfn ../../cli/kfn node_modules/.bin/kfn
	say "packages"
	for dir in packages/*/kfn.package.json; do
		node_modules/.bin/kfn build "$(dirname "$dir")" --out build/ --if-changed >/dev/null
	done
}

install_apt
install_npm
build
if [ "$mode" = --vm ]; then
	bash test/vm/setup.sh
fi
