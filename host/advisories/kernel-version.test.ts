// What kernels say of themselves, as seen on real ones: upstream's number, or that it cannot be told.
import { expect, test } from "vitest";
import { type KernelTexts, upstreamOf } from "./kernel-version.ts";

const read = (release: string, version = "#1 SMP PREEMPT_DYNAMIC", signature?: string) =>
	upstreamOf({ release, version, signature } satisfies KernelTexts);

test.each([
	["6.1.0-47-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 (2026-05-08)", "6.1.170"],
	["6.12.74+deb13+1-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.74-2 (2026-03-08)", "6.12.74"],
	["7.0.7+deb14-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 7.0.7-1~exp1 (2026-05-30)", "7.0.7"],
	["6.11-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.11-1~exp1 (2024-09-19)", "6.11"],
	["6.6.31+rpt-rpi-v8", "#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)", "6.6.31"],
	["6.18.44-fc-v857", "#1 SMP PREEMPT_DYNAMIC @0", "6.18.44"],
	["6.18.5-200.fc43.x86_64", "#1 SMP PREEMPT_DYNAMIC Wed Jan 14 2026", "6.18.5"],
	["5.15.167.4-microsoft-standard-WSL2", "#1 SMP Tue Nov 5 2024", "5.15.167"],
	["7.1.0", "#1 SMP", "7.1.0"],
])("%s, %s: %s", (release, version, upstream) => {
	expect(read(release, version)).toEqual({ upstream, why: null });
});

test("Ubuntu says it in a file of its own, and without that file it cannot be told", () => {
	const release = "6.8.0-60-generic";
	const version = "#63-Ubuntu SMP PREEMPT_DYNAMIC Tue Apr 15 2025";
	expect(read(release, version, "Ubuntu 6.8.0-60.63-generic 6.8.12\n").upstream).toBe("6.8.12");
	expect(read(release, version).upstream).toBe(null);
	expect(read("6.8.12-60-generic", version).upstream).toBe(null);
});

test.each([
	["a number that stays for years", "5.14.0-427.13.1.el9_4.x86_64", undefined],
	["SUSE's", "6.4.0-150600.23.25-default", undefined],
	["Debian's, without its version", "6.1.0-47-amd64", undefined],
	["Debian's in a form that is not known", "6.1.0-47-amd64", "#1 SMP Debian 6.1-new (2026-01-01)"],
	["a release candidate", "7.1.0-rc3", undefined],
	["Debian's release candidate", "7.1-rc3-amd64", "#1 SMP Debian 7.1~rc3-1~exp1 (2026-07-01)"],
	["a release candidate with a patch number", "7.1.2-rc1", undefined],
	["two numbers", "7.1", undefined],
	["something else", "my-kernel", undefined],
	["control characters", "6.1.170\u001b[2J", undefined],
])("%s cannot be told: %s", (_what, release, version) => {
	const { upstream, why } = read(release, version);
	expect(upstream).toBe(null);
	expect(why).toMatch(/^[\x20-\x7e]{10,160}$/);
});
