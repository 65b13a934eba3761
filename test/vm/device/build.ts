// Builds the test device's driver against the headers of a kernel that test/vm boots, with two bundles of tso as its engines. Refuses
// to build in the source folder, and to load anything: that is done in a VM.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openBundle } from "#bundle/bundle.ts";
import { run } from "../../harness/command.ts";
import type { Have } from "../../harness/feature.ts";

const HEADERS = join(import.meta.dirname, "../../../build/vm/headers");
const SOURCES = ["Kbuild", "device.h", "driver.c", "port.c", "firmware.c", "engine.h", "engine.c"];
const ENGINES = ["engine-source.h", "engine-first.c", "engine-second.c"];

/** Says whether test/vm/setup.sh got the headers of this series' kernel. */
export function haveHeaders(series: string): Have {
	const release = join(HEADERS, series, "release");
	if (existsSync(release)) return { have: "yes", reason: readFileSync(release, "utf8").trim() };
	return { have: "unknown", reason: `no headers of ${series}: run: npm run setup -- --vm` };
}

/** Two bundles' files; what the module has as its engines `first` and `second`. */
export interface Engines {
	readonly first: string;
	readonly second: string;
}

/** Builds kfn_device.ko below `folder` and returns its path. */
export async function buildModule(folder: string, series: string, engines: Engines): Promise<string> {
	const release = readFileSync(join(HEADERS, series, "release"), "utf8").trim();
	const headers = join(HEADERS, series, "usr/src", `linux-headers-${release}`);
	const work = join(folder, `module-${series}`);
	for (const file of [...SOURCES, ...ENGINES])
		cpSync(join(import.meta.dirname, file), join(work, "driver", file));
	for (const [name, archive] of Object.entries(engines)) await unpack(archive, join(work, name));
	const folders = ["FIRST", "SECOND"].map((name) => `${name}=${join(work, name.toLowerCase())}`);
	const driver = join(work, "driver");
	// Types for BPF of the module are made by pahole, which nobody here needs.
	await run("make", [
		"-s",
		"-C",
		headers,
		`M=${driver}`,
		...folders,
		"CONFIG_DEBUG_INFO_BTF_MODULES=",
		"modules",
	]);
	const module = join(driver, "kfn_device.ko");
	await run("strip", ["--strip-debug", module]);
	return module;
}

async function unpack(archive: string, folder: string): Promise<void> {
	const { files } = await openBundle(readFileSync(archive));
	for (const [path, bytes] of files) {
		mkdirSync(dirname(join(folder, path)), { recursive: true });
		writeFileSync(join(folder, path), bytes);
	}
}
