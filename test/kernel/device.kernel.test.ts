// A function at a device's egress and one without a hook, through the whole command line: built from C with maps, signed, installed,
// swapped, proved, rolled back, watched and removed. Its programs only count and pass packets on.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

const SAMPLE = (name: string, section: string, feature: string, step: number, answer: string) => `\
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kfn/int.h"
#include "kfn/map.h"
#include "kfn/note.h"
#include "kfn/program.h"
#include "kfn/skb.h"

KFN_NOTE("${name}", "1", ">=6.1", KFN_FEATURE("${feature}"));
KFN_LICENSE("Dual BSD/GPL");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KFN_POSSIBLE_CPUS);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __attribute__((noinline)) int count(__u32 cpu)
{
	__u64 *value = bpf_map_lookup_elem(&seen, &cpu);

	if (value)
		*value += ${step};
	return value ? ${answer} : 0;
}

SEC("${section}")
int pass(struct __sk_buff *skb)
{
	return skb->len == 0xffffffff ? 0 : count(bpf_get_smp_processor_id());
}
`;

/** Builds `name` of a version into the world's folder. */
async function build(
	world: HostWorld,
	name: string,
	version: string,
	section: string,
	type: string,
): Promise<void> {
	const answer = section === "tc/egress" ? "-1" : "2";
	const dir = join(world.folder, `${name}-${version}-package`);
	mkdirSync(join(dir, "src/kfn"), { recursive: true });
	for (const header of ["int.h", "map.h", "note.h", "program.h", "skb.h"])
		copyFileSync(
			join(import.meta.dirname, "../../packages/_include/kfn", header),
			join(dir, "src/kfn", header),
		);
	mkdirSync(join(dir, "vectors"));
	const feature = `prog_type:${type}`;
	const source = SAMPLE(name, section, feature, version === "1.0.0" ? 1 : 2, answer);
	writeFileSync(join(dir, "src/pass.bpf.c"), source);
	const data = "00".repeat(64);
	const vector = {
		name: "passes",
		why: "a test",
		program: "pass",
		data,
		retval: Number(answer) >>> 0,
		out: data,
	};
	writeFileSync(join(dir, "vectors/pass.jsonl"), `${JSON.stringify(vector)}\n`);
	for (const document of ["README.md", "CHANGELOG.md", "LICENSE"])
		writeFileSync(join(dir, document), "a test\n");
	const unit = { variant: "generic", source: "src/pass.bpf.c", object: "obj/pass.bpf.o" };
	const manifest = {
		schema: "kfn.package/1",
		...{ name, version, summary: "a test", license: "GPL-2.0-only OR BSD-2-Clause" },
		function: { name, abi: 1 },
		units: [{ ...unit, requires: { kernel: ">=6.1", features: [feature] } }],
	};
	writeFileSync(join(dir, "kfn.package.json"), JSON.stringify(manifest));
	await ok(world, "build", dir, "--key", "publisher.key");
}

async function ok(world: HostWorld, ...args: string[]) {
	const { code, stdout, stderr } = await world.kfn(...args, "--json");
	expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
	return JSON.parse(stdout);
}

test("at a device: installed, kept, upgraded, proved, rolled back and removed", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("device");
	const scope = `dev:${world.pair.left.device}@${world.pair.left.netns.path}`;
	for (const version of ["1.0.0", "1.1.0"]) await build(world, "pass", version, "tc/egress", "sched_cls");
	await ok(world, "trust", "add", "pass", "--key", "publisher.key.pub");
	const nowhere = await world.kfn("install", "pass-1.0.0.kfn", "--json");
	expect(JSON.parse(nowhere.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");
	const wrong = await world.kfn("install", "pass-1.0.0.kfn", "--scope", world.scope, "--json");
	expect(JSON.parse(wrong.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");

	expect(await ok(world, "preflight", "pass-1.0.0.kfn", "--scope", scope)).toMatchObject({
		functions: [{ loads: { have: "yes" }, hook: { have: "yes" } }],
	});
	const installed = await ok(world, "install", "pass-1.0.0.kfn", "--scope", scope);
	expect(installed.functions).toMatchObject([{ step: "attach", scope }]);
	const status = await ok(world, "status");
	expect(status).toMatchObject({ health: "good", functions: [{ running: true, scope, version: "1.0.0" }] });
	const [program] = status.functions[0].programs;
	expect(program.kernelTag).toBe(program.insnsDigest.slice(0, 16));
	expect(await ok(world, "install", "pass-1.0.0.kfn", "--scope", scope)).toMatchObject({ changed: false });
	await ok(world, "verify", "--running");

	await ok(world, "upgrade", "pass-1.1.0.kfn");
	expect((await ok(world, "status")).functions).toMatchObject([{ version: "1.1.0", running: true }]);
	// The one instruction that differs stands in the subprogram.
	expect((await ok(world, "diff", "1", "2")).bundles[0].diff.programs).toMatchObject([
		{ program: "pass", added: 1, removed: 1 },
	]);
	await ok(world, "rollback");
	expect((await ok(world, "status")).functions).toMatchObject([{ version: "1.0.0", running: true }]);
	await ok(world, "verify", "--running");
	await ok(world, "verify", "pass-1.0.0.kfn", "--rebuild");
	await ok(world, "remove", "pass");
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [] });
});

test("without a hook: proved, listed, and said to be attached nowhere", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("hookless");
	await build(world, "merge", "1.0.0", "xdp.frags", "xdp");
	await ok(world, "trust", "add", "merge", "--key", "publisher.key.pub");
	const installed = await ok(world, "install", "merge-1.0.0.kfn");
	expect(installed.functions).toMatchObject([{ step: "none", scope: "none", vectors: 1 }]);
	expect(await ok(world, "status")).toMatchObject({
		health: "good",
		functions: [{ scope: "none", running: false }],
		drift: [],
	});
	expect((await world.kfn("status")).stdout).toContain("not attached: the kernel has no hook for it");
	const wrong = await world.kfn("install", "merge-1.0.0.kfn", "--scope", world.scope, "--json");
	expect(JSON.parse(wrong.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");
	// It does not stand in the way of others, and stays with them.
	const both = await ok(world, "install", "flow-dissector", "--scope", world.scope);
	expect(both.functions.map(({ step }: { step: string }) => step).sort()).toEqual(["attach", "none"]);
	await ok(world, "verify", "--running");
	const unproved = await world.kfn("verify", "--running", "merge", "--json");
	expect(JSON.parse(unproved.stdout).error.code).toBe("HOST_RUNNING_UNPROVED");
	await ok(world, "remove", "merge");
	await ok(world, "remove", "flow-dissector");
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [] });
});
