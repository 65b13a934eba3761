// Puts the units, the udev rule and the initramfs hooks where systemd and the initramfs makers look, and takes them away again.
// Files and links only, below one root: it works in an image that is being built, and starts nothing.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileError, linkTarget, statOf } from "../durable.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { exact, flag, listOf, oneOf, text } from "../shape.ts";
import { readJson } from "../state-file.ts";
import { clearUnfinished } from "./counter.ts";

const LOADER = "usr/lib/kfn/kfn-load";
const UNITS = [
	...["kfn-boot.service", "kfn-boot-good.service", "kfn-autoload@.service", "kfn-autoload.path"],
	...["kfn-offload.service", "kfn-offload-watch.service"],
];
const PACKAGED = "usr/lib/systemd/system";
const OPERATORS = "etc/systemd/system";
/** What `systemctl enable` would make of the [Install] sections. */
const WANTS = [
	{ target: "sysinit.target", unit: "kfn-boot.service" },
	{ target: "sysinit.target", unit: "kfn-offload.service" },
	{ target: "multi-user.target", unit: "kfn-boot-good.service" },
	{ target: "multi-user.target", unit: "kfn-autoload.path" },
];
const RULE = { from: "udev/90-kfn.rules", to: "etc/udev/rules.d/90-kfn.rules" };
interface Laid {
	readonly from: string;
	readonly to: string;
}
interface Maker {
	readonly name: "initramfs-tools" | "dracut";
	readonly sign: string;
	readonly files: readonly Laid[];
}
/** The folder that shows that this maker of initramfs images is installed, and what it is given. */
const MAKERS: readonly Maker[] = [
	{
		name: "initramfs-tools",
		sign: "etc/initramfs-tools",
		files: [
			{ from: "initramfs-tools/hooks/kfn", to: "etc/initramfs-tools/hooks/kfn" },
			{ from: "initramfs-tools/scripts/init-top/kfn", to: "etc/initramfs-tools/scripts/init-top/kfn" },
		],
	},
	{
		name: "dracut",
		sign: "usr/lib/dracut/modules.d",
		files: [
			{ from: "dracut/90kfn/module-setup.sh", to: "usr/lib/dracut/modules.d/90kfn/module-setup.sh" },
			{ from: "dracut/90kfn/kfn-boot.sh", to: "usr/lib/dracut/modules.d/90kfn/kfn-boot.sh" },
		],
	},
];

const enabledShape = exact({
	schema: oneOf("kfn.boot-enabled/1"),
	/** Files and links that disabling removes, below the root. */
	made: listOf(text, 64),
	initramfs: flag,
});
export type BootEnabled = ReturnType<typeof enabledShape>;

export interface EnableSpec {
	/** The folder with `systemd/`, `udev/`, `initramfs-tools/` and `dracut/`. */
	readonly files: string;
	/** The loader to copy where the root has none. */
	readonly loader: string;
	readonly initramfs: boolean;
}

export interface EnableReport {
	readonly changed: boolean;
	/** Paths from the root, sorted. */
	readonly made: readonly string[];
	/** The makers of images that were given their hook. */
	readonly initramfs: readonly Maker["name"][];
}

/** What `enable` has laid down; undefined where boot loading is not enabled. */
export function readEnabled(host: Host): BootEnabled | undefined {
	return readJson(host.layout.bootEnabled, enabledShape);
}

/**
 * Makes the next boot load the current generation, and forgets boots that did not reach good.
 *
 * Idempotent: a second call refreshes what the first laid down. HOST_BOOT_NO_INITRAMFS where `initramfs` is asked for and no
 * known maker is there; then nothing is changed.
 */
export function enableBoot(lock: HostLock, spec: EnableSpec): EnableReport {
	const { host } = lock;
	const makers = spec.initramfs ? makersOf(host) : [];
	const before = readEnabled(host);
	const wanted = [...filesOf(host, spec, before), ...makers.flatMap(({ files }) => files)];
	const made = [...wanted.map(({ to }) => to), ...linksOf(host).map(({ to }) => to)].sort();
	const enabled: BootEnabled = { schema: "kfn.boot-enabled/1", made, initramfs: spec.initramfs };
	// First what is to be removed one day, then the files: a kill in between leaves nothing that disabling does not know.
	const all = { ...enabled, made: [...new Set([...made, ...(before?.made ?? [])])].sort() };
	writeEnabled(lock, all);
	let changed = JSON.stringify(before) !== JSON.stringify(enabled);
	for (const { from, to } of wanted) changed = layFile(lock, spec, from, to) || changed;
	for (const { to, target } of linksOf(host)) changed = layLink(lock, to, target) || changed;
	for (const path of all.made) if (!made.includes(path)) take(lock, path);
	writeEnabled(lock, enabled);
	clearUnfinished(lock);
	return { changed, made, initramfs: makers.map(({ name }) => name) };
}

/** Takes away all that `enable` made; what runs stays as it is. */
export function disableBoot(lock: HostLock): {
	readonly changed: boolean;
	readonly removed: readonly string[];
} {
	const { host } = lock;
	const enabled = readEnabled(host);
	if (enabled === undefined) return { changed: false, removed: [] };
	const removed = enabled.made.filter((path) => statOf(join(host.layout.root, path)) !== undefined);
	for (const path of removed) take(lock, path);
	host.durable.removeFile(host.layout.bootEnabled);
	return { changed: true, removed };
}

function makersOf(host: Host): Maker[] {
	const found = MAKERS.filter(({ sign }) => statOf(join(host.layout.root, sign))?.isDirectory());
	if (found.length > 0) return found;
	throw new HostError("HOST_BOOT_NO_INITRAMFS", "neither initramfs-tools nor dracut is installed here", {
		hint: "without --initramfs, functions are loaded by systemd before the network: that suffices for most hosts",
	});
}

/** What a package brought is used as it is; what enabling brought once is brought again. */
function filesOf(host: Host, spec: EnableSpec, before: BootEnabled | undefined): Laid[] {
	const packaged = (path: string) =>
		statOf(join(host.layout.root, path)) !== undefined && before?.made.includes(path) !== true;
	const units = UNITS.filter((unit) => !packaged(join(PACKAGED, unit)));
	return [
		...(packaged(LOADER) ? [] : [{ from: spec.loader, to: LOADER }]),
		...units.map((unit) => ({ from: `systemd/${unit}`, to: join(OPERATORS, unit) })),
		RULE,
	];
}

function linksOf(host: Host): { to: string; target: string }[] {
	return WANTS.map(({ target, unit }) => {
		const isPackaged = statOf(join(host.layout.root, PACKAGED, unit)) !== undefined;
		return {
			to: join(OPERATORS, `${target}.wants`, unit),
			target: `/${isPackaged ? PACKAGED : OPERATORS}/${unit}`,
		};
	});
}

function layFile({ host }: HostLock, spec: EnableSpec, from: string, to: string): boolean {
	const source = from.startsWith("/") ? from : join(spec.files, from);
	const path = join(host.layout.root, to);
	const bytes = read(source);
	if (statOf(path)?.isFile() && readFileSync(path).equals(bytes)) return false;
	const runs = to === LOADER || to.endsWith(".sh") || to.endsWith("/kfn");
	host.durable.makeFolder(dirname(path));
	host.durable.writeFile(path, bytes, runs ? 0o755 : 0o644);
	return true;
}

function read(path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (error) {
		throw fileError(error, path);
	}
}

function layLink({ host }: HostLock, to: string, target: string): boolean {
	const path = join(host.layout.root, to);
	if (linkTarget(path) === target) return false;
	host.durable.makeFolder(dirname(path));
	host.durable.swapLink(path, target);
	return true;
}

function take({ host }: HostLock, path: string): void {
	const full = join(host.layout.root, path);
	host.durable.removeFile(full);
	// The folders that may be ours alone.
	if (/\.wants\/|\/90kfn\/|^usr\/lib\/kfn\//.test(path)) host.durable.removeEmpty(dirname(full));
}

function writeEnabled({ host }: HostLock, enabled: BootEnabled): void {
	host.durable.makeFolder(dirname(host.layout.bootEnabled));
	host.durable.writeFile(host.layout.bootEnabled, `${JSON.stringify(enabled, null, 2)}\n`);
}
