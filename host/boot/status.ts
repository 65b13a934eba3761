// What the last boot did with the functions of this host, from the loader's records (docs/formats/boot.md). Reads files only; a
// record that cannot be read is none.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { statOf } from "../durable.ts";
import { currentGeneration, listFolder } from "../generations.ts";
import { goodGeneration, readHealth } from "../health.ts";
import type { Host } from "../host.ts";
import { appliedFunctions } from "../loader-answers.ts";
import { anything, count, exact, flag, listOf, oneOf, open, orNull, text } from "../shape.ts";
import { readJson, unlessDamaged } from "../state-file.ts";
import { linked, readCounter, unfinished } from "./counter.ts";
import { readEnabled } from "./enable.ts";

const place = open({ function: text, scope: text });
const failed = open({ code: text, message: text }, { hint: text, details: anything });
const recordShape = open(
	{
		schema: oneOf("kfn.boot/1"),
		stage: oneOf("initramfs", "system", "again"),
		bootId: text,
		kernel: text,
		at: text,
		off: orNull(oneOf("parameter", "file")),
		current: linked,
		good: linked,
		booted: count,
		generation: linked,
		why: oneOf("current", "unfinished", "refused", "this-boot", "nothing-missing", "off"),
		counted: flag,
		unfinished,
		functions: appliedFunctions,
		absent: listOf(place),
		left: listOf(open({ function: text, scope: text, error: failed, running: flag })),
		detached: listOf(place),
		refused: listOf(open({ generation: linked, parts: flag, error: failed })),
		startMicroseconds: count,
		endMicroseconds: count,
	},
	/** Null in every stage but `system`; records of before lockdown lack it. */
	{ lockdown: orNull(open({ mode: oneOf("off", "audit", "enforce"), error: orNull(failed) })) },
);
export type BootRecord = ReturnType<typeof recordShape>;

const imageShape = exact({ schema: oneOf("kfn.initramfs/1"), release: text, generation: count });

export interface InitramfsStatus {
	readonly release: string;
	/** What it carries; 0: nothing. */
	readonly generation: number;
	/** Made again now, it would carry something else. */
	readonly stale: boolean;
}

export interface BootStatus {
	readonly enabled: boolean;
	readonly initramfs: boolean;
	/** What keeps the next boot from loading anything, as far as it can be seen now. */
	readonly off: "parameter" | "file" | null;
	readonly current: number;
	/** The last generation with which a boot came up; 0: none did. */
	readonly booted: number;
	readonly unfinished: readonly { readonly generation: number; readonly boots: number }[];
	/** What this boot did, in its order; a stage that did not run is null. */
	readonly boot: {
		readonly initramfs: BootRecord | null;
		readonly system: BootRecord | null;
		readonly again: BootRecord | null;
	};
	readonly images: readonly InitramfsStatus[];
}

export function bootStatus(host: Host): BootStatus {
	const enabled = readEnabled(host);
	const counter = readCounter(host);
	const record = (stage: string) =>
		unlessDamaged(() => readJson(join(host.layout.bootRecords, `${stage}.json`), recordShape)) ?? null;
	return {
		enabled: enabled !== undefined,
		initramfs: enabled?.initramfs === true,
		off: switchedOff(host),
		current: currentGeneration(host),
		booted: counter?.booted ?? 0,
		unfinished: counter?.unfinished ?? [],
		boot: { initramfs: record("initramfs"), system: record("system"), again: record("again") },
		images: listFolder(host.layout.initramfs).flatMap((name) => imageStatus(host, name)),
	};
}

function switchedOff(host: Host): BootStatus["off"] {
	if (statOf(host.layout.off) !== undefined) return "file";
	return readFileSync("/proc/cmdline", "utf8").split(/\s+/).includes("kfn=off") ? "parameter" : null;
}

/** An image whose kernel was removed is nobody's. */
function imageStatus(host: Host, name: string): InitramfsStatus[] {
	const image = unlessDamaged(() => readJson(join(host.layout.initramfs, name), imageShape));
	if (image === undefined || !hasImage(host, image.release)) return [];
	const { release, generation: carried } = image;
	return [{ release, generation: carried, stale: carried !== wouldCarry(host, release) }];
}

function hasImage(host: Host, release: string): boolean {
	const paths = [`boot/initrd.img-${release}`, `boot/initramfs-${release}.img`];
	return paths.some((path) => statOf(join(host.layout.root, path)) !== undefined);
}

/** The rule of `kfn-load boot-copy` (host/native/boot-copy.c). */
function wouldCarry(host: Host, release: string): number {
	const current = currentGeneration(host);
	const isGood = goodGeneration(host) === current && readHealth(host, current)?.kernels.includes(release);
	return isGood === true ? current : 0;
}
