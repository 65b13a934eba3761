// Makes initramfs images anew that carry something revoked: until then, a boot would attach it for the moments until the real root's
// loader takes it off. Refuses to guess at a maker: only those that `kfn boot enable --initramfs` gave a hook.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { statOf } from "../durable.ts";
import { codeOf } from "../errors.ts";
import { planOrUndefined } from "../generations.ts";
import type { Host } from "../host.ts";
import { readRevoked, revocable, revokedBy } from "../recall/revoked.ts";
import { count, exact, oneOf, text } from "../shape.ts";
import { readJson, unlessDamaged } from "../state-file.ts";
import { readEnabled } from "./enable.ts";

export interface ImagesReport {
	/** Kernel releases. */
	readonly made: readonly string[];
	readonly warnings: readonly string[];
}

const note = exact({ schema: oneOf("kfn.initramfs/1"), release: text, generation: count });

/** Below the root, with what makes the image of one release. */
const MAKERS = [
	{ path: "usr/sbin/update-initramfs", args: (release: string) => ["-u", "-k", release] },
	{ path: "usr/bin/dracut", args: (release: string) => ["--force", "--kver", release] },
] as const;

/** Remakes each image of a generation that holds something revoked. A failure is a warning: what runs is off already. */
export async function remakeImages(host: Host): Promise<ImagesReport> {
	const releases = carrying(host);
	if (releases.length === 0 || readEnabled(host)?.initramfs !== true) return { made: [], warnings: [] };
	const maker = MAKERS.find(({ path }) => statOf(join(host.layout.root, path)) !== undefined);
	if (maker === undefined) {
		const what = `the initramfs of ${releases.join(", ")} carries what is revoked, and no maker of it is here`;
		return { made: [], warnings: [what] };
	}
	const made: string[] = [];
	const warnings: string[] = [];
	for (const release of releases) {
		const failure = await run(join(host.layout.root, maker.path), maker.args(release));
		if (failure === undefined) made.push(release);
		else
			warnings.push(
				`the initramfs of ${release} carries what is revoked, and could not be made anew: ${failure}`,
			);
	}
	return { made, warnings };
}

/** Releases whose image, as far as its note says, holds a generation with something revoked. */
function carrying(host: Host): string[] {
	const records = readRevoked(host);
	if (records.length === 0) return [];
	return notes(host).flatMap(({ release, generation }) => {
		const functions = planOrUndefined(host, generation)?.functions ?? [];
		return functions.some((entry) => revokedBy(records, revocable(entry)) !== undefined) ? [release] : [];
	});
}

function notes(host: Host): { release: string; generation: number }[] {
	try {
		const files = readdirSync(host.layout.initramfs).filter((name) => name.endsWith(".json"));
		return files.flatMap(
			(name) => unlessDamaged(() => readJson(join(host.layout.initramfs, name), note)) ?? [],
		);
	} catch (error) {
		if (codeOf(error) === "ENOENT") return [];
		throw error;
	}
}

/** What went wrong; undefined where nothing did. */
function run(program: string, args: readonly string[]): Promise<string | undefined> {
	return new Promise((resolve) => {
		const child = spawn(program, args, {
			stdio: ["ignore", "ignore", "pipe"],
			env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
		});
		let words = "";
		child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
			words = (words + chunk).slice(-500);
		});
		child.on("error", (error) => resolve(error.message));
		child.on("close", (code) =>
			resolve(code === 0 ? undefined : `${program} ended with ${code}: ${words.trim()}`),
		);
	});
}
