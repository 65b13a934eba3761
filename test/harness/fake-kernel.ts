// The state of a kernel that is none, as a JSON file that every process of a test reads and changes. Refuses to know what a
// loader does with it: fake-kfn-load.ts does.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WatchAnswer } from "#host/loader-answers.ts";
import type { Namespaces } from "#host/scope.ts";

export interface FakeProgram {
	readonly id: number;
	readonly name: string;
	readonly kernelTag: string;
}

export interface FakePin {
	readonly function: string;
	readonly scope: string;
	readonly linkId: number;
	/** The namespace that the link is attached to; null where it was detached. */
	readonly namespace: number | null;
	readonly program: FakeProgram;
	readonly version: string;
}

/** One device as the fake kernel keeps it. */
export interface FakeDevice {
	ifindex: number;
	driver: string;
	firmware: string | null;
	/** Devlink's running versions; null: it has no devlink. */
	versions: Record<string, string> | null;
	/** What the engine runs, by function: what it says of itself, in catalogues or devlink, may be a lie. */
	engine: Record<string, string>;
	features: Record<string, { requested: boolean; fixed: boolean }>;
	/** Features that do not become what is wished for. */
	stuck: string[];
	/** Packets go through it. */
	up: boolean;
}

/** The whole fake kernel, as it stands in ROOT/fake-kernel.json. */
export interface FakeKernelState {
	bpffs: boolean;
	privileged: boolean;
	nextId: number;
	/** Namespace files and their inodes; those of /proc are pid 1's and the caller's. */
	namespaces: Record<string, number>;
	pins: FakePin[];
	/** What programs of a version answer in any window, by version; one without answers nothing. */
	answers?: Record<string, NonNullable<WatchAnswer["functions"][number]["verdicts"]>>;
	/** A kernel that lets nobody count answers says why. */
	uncounted?: string;
	/** Programs of somebody else by the inode of their namespace. */
	foreign: Record<string, FakeProgram>;
	/** By the scope that names it. */
	devices?: Record<string, FakeDevice>;
}

/** The kernel of one root; tests look at it and change it like any other program of the machine would. */
export class FakeKernel {
	readonly root: string;

	constructor(root: string) {
		this.root = root;
	}

	/** Starts with a bpffs and the namespaces of pid 1 and the caller, which are the same. */
	static boot(root: string): FakeKernel {
		const kernel = new FakeKernel(root);
		const namespaces = { "/proc/1/ns/net": 1, "/proc/self/ns/net": 1 };
		kernel.write({ bpffs: true, privileged: true, nextId: 100, namespaces, pins: [], foreign: {} });
		return kernel;
	}

	read(): FakeKernelState {
		return JSON.parse(readFileSync(this.#file, "utf8")) as FakeKernelState;
	}

	write(state: FakeKernelState): void {
		// The real kernel changes a link in one step, too.
		writeFileSync(`${this.#file}.new`, JSON.stringify(state, null, 1));
		renameSync(`${this.#file}.new`, this.#file);
	}

	change(edit: (state: FakeKernelState) => void): void {
		const state = this.read();
		edit(state);
		this.write(state);
	}

	addNamespace(path: string): void {
		this.change((state) => {
			state.namespaces[path] = state.nextId++;
		});
	}

	/** The namespace ends: its links die, its pins stay. */
	endNamespace(path: string): void {
		this.change((state) => {
			const inode = state.namespaces[path];
			delete state.namespaces[path];
			state.pins = state.pins.map((pin) => (pin.namespace === inode ? { ...pin, namespace: null } : pin));
		});
	}

	/** What a reboot leaves: no pins, no foreign programs. */
	reboot(): void {
		this.change((state) => {
			state.pins = [];
			state.foreign = {};
		});
	}

	attachForeign(path: string): void {
		this.change((state) => {
			const program = { id: state.nextId++, name: "foreign", kernelTag: "00112233aabbccdd" };
			state.foreign[String(state.namespaces[path])] = program;
		});
	}

	/** Versions that run, as "function scope version", sorted: what a test compares with the generation. */
	running(): string[] {
		return this.read()
			.pins.filter((pin) => pin.namespace !== null)
			.map((pin) => `${pin.function} ${pin.scope} ${pin.version}`)
			.sort();
	}

	get #file(): string {
		return join(this.root, "fake-kernel.json");
	}
}

/** The namespaces of the fake kernel, for `openHost`. */
export function fakeNamespaces(kernel: FakeKernel): Namespaces {
	return {
		identity(path) {
			const inode = kernel.read().namespaces[path];
			return inode === undefined ? undefined : `1:${inode}`;
		},
		named: (folder = "/run/netns") =>
			Object.keys(kernel.read().namespaces)
				.filter((path) => path.startsWith(`${folder}/`))
				.sort(),
	};
}
