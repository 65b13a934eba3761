// For tests only: a small real bundle, compiled by clang at test time. Product code never imports it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type AssembledBundle, assembleBundle, writeBundle } from "../bundle.ts";
import { type PackageManifest, parsePackageManifest } from "../package-manifest.ts";

export const SAMPLE_FLAGS = [
	"-target",
	"bpf",
	"-mcpu=v3",
	"-O2",
	"-g",
	"-nostdinc",
	"-fdebug-compilation-dir=.",
];
export const NO_SIGNATURES = Buffer.from("{}\n");

const HEADER = `// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define SEC(name) __attribute__((section(name), used))
#define NOTE(text) \\
	static const struct { unsigned namesz, descsz, type; char name[4]; char desc[(sizeof(text) + 2) / 4 * 4]; } \\
	kfn_note __attribute__((section(".note.kfn"), used, aligned(4))) = \\
	{ 4, (sizeof(text) + 2) / 4 * 4, 1, "kfn", text }
struct keys { unsigned short nhoff, thoff; };
struct context { unsigned char pad[144]; unsigned long long flow_keys; };
`;

const SOURCE = `// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kfn/sample.h"
NOTE("function=flow-dissector\\nabi=1\\nkernel=>=5.10\\nfeature=link:netns\\nfeature=prog_type:flow_dissector\\n");
SEC("license") const char _license[] = "Dual BSD/GPL";
SEC("flow_dissector") int sample(struct context *ctx)
{
	struct keys *keys = (struct keys *)ctx->flow_keys;

	keys->thoff = keys->nhoff;
	return 0;
}
`;

const VECTORS = `${JSON.stringify({
	name: "too-short",
	why: "no header after Ethernet",
	program: "sample",
	data: `${"02".repeat(12)}0800`,
	retval: 0,
	out: "00".repeat(56),
})}\n`;

export const SAMPLE_PACKAGE = {
	schema: "kfn.package/1",
	name: "sample",
	version: "1.0.0",
	summary: "A dissector that says nothing",
	license: "GPL-2.0-only OR BSD-2-Clause",
	function: { name: "flow-dissector", abi: 1 },
	units: [
		{
			variant: "generic",
			source: "src/sample.bpf.c",
			object: "obj/sample.bpf.o",
			requires: { kernel: ">=5.10", features: ["link:netns", "prog_type:flow_dissector"] },
		},
	],
};

const SAMPLE_SOURCES: Readonly<Record<string, string>> = {
	"src/kfn/sample.h": HEADER,
	"src/sample.bpf.c": SOURCE,
};

/** Compiles C text (any BPF object) with the sample's header beside it. */
export function compileObject(source: string, flags: readonly string[] = SAMPLE_FLAGS): Uint8Array {
	const folder = mkdtempSync(join(tmpdir(), "kfn-sample-"));
	try {
		for (const [path, text] of Object.entries({ ...SAMPLE_SOURCES, "src/sample.bpf.c": source })) {
			mkdirSync(dirname(join(folder, path)), { recursive: true });
			writeFileSync(join(folder, path), text);
		}
		const command = [...flags, "-c", "src/sample.bpf.c", "-o", "sample.o"];
		execFileSync("clang-19", command, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
		return readFileSync(join(folder, "sample.o"));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

export interface SampleChanges {
	/** Fields laid over SAMPLE_PACKAGE. */
	readonly package?: Readonly<Record<string, unknown>>;
	/** Replaces a text in the C source, such as the note or the license. */
	readonly source?: (text: string) => string;
	readonly files?: Readonly<Record<string, string>>;
}

/** The package, staged files and compiler record of the sample, as `assembleBundle` takes them. */
export function sampleInput(changes: SampleChanges = {}): {
	package: PackageManifest;
	files: Map<string, Uint8Array>;
	compiler: { name: "clang"; version: string; flags: readonly string[] };
} {
	const source = (changes.source ?? ((text) => text))(SOURCE);
	const texts = {
		LICENSE: "GPL-2.0-only OR BSD-2-Clause\n",
		"README.md": "# sample\n",
		...SAMPLE_SOURCES,
		"src/sample.bpf.c": source,
		"vectors/basic.jsonl": VECTORS,
		...changes.files,
	};
	const files = new Map<string, Uint8Array>(
		Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]),
	);
	files.set("obj/sample.bpf.o", compileObject(source));
	const text = JSON.stringify({ ...SAMPLE_PACKAGE, ...changes.package });
	return {
		package: parsePackageManifest(Buffer.from(text)),
		files,
		compiler: { name: "clang", version: "19.1.7", flags: SAMPLE_FLAGS },
	};
}

/** The sample, assembled and packed with an empty signature file. */
export function sampleBundle(changes: SampleChanges = {}): AssembledBundle & { archive: Uint8Array } {
	const assembled = assembleBundle(sampleInput(changes));
	return { ...assembled, archive: writeBundle(assembled.manifestBytes, NO_SIGNATURES, assembled.files) };
}
