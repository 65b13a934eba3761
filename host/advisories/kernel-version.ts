// Which upstream release the running kernel is made of. Refuses to guess: Debian's 6.1.0-47 is 6.1.170, and a number that
// only looks like upstream's would call a vulnerable kernel fixed.
import { readFileSync } from "node:fs";
import { version as unameVersion } from "node:os";
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";

export type KernelVersion =
	| { readonly upstream: string; readonly why: null }
	/** It cannot be told, and why; whoever judges takes it for affected. */
	| { readonly upstream: null; readonly why: string };

/** What a kernel says of itself. */
export interface KernelTexts {
	/** `uname -r`. */
	readonly release: string;
	/** `uname -v`. */
	readonly version: string;
	/** `/proc/version_signature`, which Ubuntu's kernels have; undefined elsewhere. */
	readonly signature: string | undefined;
}

export function kernelVersion(host: Host): KernelVersion {
	return upstreamOf({ release: host.kernel, version: unameVersion(), signature: readSignature() });
}

/**
 * Upstream's number, of these forms only: Debian's (`#1 SMP … Debian 6.1.170-1 (date)` in `uname -v`), Ubuntu's (the last word of
 * version_signature), and `X.Y.Z` with Z above 0, alone or before a distribution's own suffix, in `uname -r`. `X.Y.0` with a suffix is
 * how distributions that keep one number for years write it, and `-rc` lies between two numbers: both cannot be told.
 * A distribution that backports single fixes may have more than its number says, never less.
 */
export function upstreamOf({ release, version, signature }: KernelTexts): KernelVersion {
	const [, debian] = / Debian (?:\d+:)?(\d+\.\d+(?:\.\d+)?)-\d\S* \(/.exec(`${version} `) ?? [];
	if (debian !== undefined) return known(debian);
	if (/ Debian /.test(version))
		return unknown(`uname -v names a Debian version that kfn does not read: ${version}`);
	const [, ubuntu] = /^Ubuntu \S+ (\d+\.\d+\.\d+)\s*$/.exec(signature ?? "") ?? [];
	if (ubuntu !== undefined) return known(ubuntu);
	if (/-Ubuntu /.test(version))
		return unknown("Ubuntu's kernel does not say in /proc/version_signature what it is made of");
	const [, numbers, patch, suffix] = /^(\d+\.\d+\.(\d+))([-.+].*)?$/.exec(release) ?? [];
	if (numbers === undefined) return unknown(`uname -r is not of a known form: ${release}`);
	if (suffix !== undefined && /^-rc/.test(suffix)) return unknown(`${release} is a release candidate`);
	if (patch === "0" && suffix !== undefined)
		return unknown(`${release} is a distribution's number, not upstream's`);
	return known(numbers);
}

function known(text: string): KernelVersion {
	// One spelling: compareKernels takes no leading zeros.
	return { upstream: text.split(".").map(Number).join("."), why: null };
}

function unknown(why: string): KernelVersion {
	return { upstream: null, why: why.replace(/[^\x20-\x7e]/g, "?").slice(0, 160) };
}

function readSignature(): string | undefined {
	try {
		return readFileSync("/proc/version_signature", "utf8");
	} catch (error) {
		if (codeOf(error) !== "ENOENT") throw error;
		return undefined;
	}
}
