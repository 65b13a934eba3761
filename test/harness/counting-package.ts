// Packages for tests of devices and of functions without a hook: a program that counts in a map by CPU and passes every packet on.
// Refuses to change, drop or send one.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HEADERS = join(import.meta.dirname, "../../packages/_include/kfn");

const sourceOf = (name: string, section: string, feature: string, step: number, answer: number) => `\
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

/** What a program of the section answers to go on: TC_ACT_UNSPEC, XDP_PASS. */
const ANSWERS = { "tc/egress": -1, "xdp.frags": 2 } as const;

/** Lays a package named `name` below `folder` and gives its path; two values of `step` are two programs. */
export function layCountingPackage(
	folder: string,
	spec: { name: string; version: string; section: keyof typeof ANSWERS; step: number },
): string {
	const { name, version, section, step } = spec;
	const dir = join(folder, `${name}-${version}-package`);
	mkdirSync(join(dir, "src/kfn"), { recursive: true });
	for (const header of ["int.h", "map.h", "note.h", "program.h", "skb.h"])
		copyFileSync(join(HEADERS, header), join(dir, "src/kfn", header));
	mkdirSync(join(dir, "vectors"));
	const answer = ANSWERS[section];
	const feature = section === "tc/egress" ? "prog_type:sched_cls" : "prog_type:xdp";
	writeFileSync(join(dir, "src/pass.bpf.c"), sourceOf(name, section, feature, step, answer));
	const data = "00".repeat(64);
	const vector = { name: "passes", why: "a test", program: "pass", data, retval: answer >>> 0, out: data };
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
	return dir;
}
