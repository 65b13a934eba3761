// Where everything of kfn lies below one root (design §6). Refuses to look at the environment or the disk: paths only.
import { join } from "node:path";

/** Every path that host code uses; a path not derived from here is a bug. */
export interface Layout {
	readonly root: string;
	readonly config: string;
	/** What the operator holds at its version (docs/formats/holds.md). */
	readonly holds: string;
	/** Whether, how and when this host changes itself (docs/formats/auto.md). */
	readonly auto: string;
	readonly trust: string;
	readonly publishers: string;
	/** Who may say what hardware runs (docs/formats/vendors.md). */
	readonly vendors: string;
	/** The pinned root (docs/formats/trust-state.md). */
	readonly trustRoot: string;
	readonly trustPolicy: string;
	/** Certificates for the kernel (docs/formats/kernel-signatures.md). */
	readonly kernelKeys: string;
	/** Which programs the kernel lets in (docs/formats/lockdown.md). */
	readonly lockdown: string;
	/** machine-id(5). */
	readonly machineId: string;
	/** A root that a package brought: what is pinned where the operator pinned none. */
	readonly packagedRoot: string;
	readonly trustSets: string;
	readonly trustCurrent: string;
	readonly trustMark: string;
	/** Every advisory that this host verified (docs/formats/advisory.md). */
	readonly advisories: string;
	/** Which channel pointers were followed (docs/formats/channel.md). */
	readonly channels: string;
	readonly state: string;
	readonly store: string;
	readonly generations: string;
	readonly current: string;
	/** The generation that was good last (docs/formats/host-state.md). */
	readonly good: string;
	readonly journal: string;
	/** Signed catalogues (docs/formats/catalogue.md): the operator's files, what a registry had, and what was seen of either. */
	readonly catalogues: string;
	readonly fetchedCatalogues: string;
	readonly cataloguesSeen: string;
	readonly log: string;
	readonly lock: string;
	readonly tmp: string;
	/** Boot loading (docs/formats/boot.md): the kill switch, the counter, what each initramfs carries, what enabling made, what this boot did. */
	readonly off: string;
	readonly bootCounter: string;
	readonly initramfs: string;
	readonly bootEnabled: string;
	readonly bootRecords: string;
	/** Which devices run what (docs/formats/offload.md). */
	readonly offload: string;
	/** What was seen of devices that were tried (docs/formats/offload.md). */
	readonly observations: string;
	/** What was revoked (docs/formats/recall.md): in a folder of its own, since it is written without the host's lock. */
	readonly recall: string;
	readonly revoked: string;
	readonly recallList: string;
	/** Where `kfn import` keeps a registry's tree. */
	readonly registry: string;
	readonly pins: string;
	storeEntry(sha256: string): string;
	trustSet(name: string): string;
	generation(n: number): string;
	plan(n: number): string;
	applied(n: number): string;
	health(n: number): string;
}

/** Derives all paths from `root` ("/" on a real host). */
export function layoutOf(root: string): Layout {
	const state = join(root, "var/lib/kfn");
	const config = join(root, "etc/kfn");
	const trust = join(config, "trust");
	const generation = (n: number) => join(state, "generations", String(n));
	return {
		root,
		config,
		holds: join(config, "holds.json"),
		auto: join(config, "auto.json"),
		trust,
		publishers: join(trust, "publishers.json"),
		vendors: join(trust, "vendors.json"),
		trustRoot: join(trust, "root.json"),
		trustPolicy: join(trust, "policy.json"),
		kernelKeys: join(trust, "kernel-keys"),
		lockdown: join(config, "lockdown.json"),
		machineId: join(root, "etc/machine-id"),
		packagedRoot: join(root, "usr/share/kfn/root.json"),
		trustSets: join(state, "tuf/sets"),
		trustCurrent: join(state, "tuf/current"),
		trustMark: join(state, "trust-mark.json"),
		advisories: join(state, "advisories"),
		channels: join(state, "channels.json"),
		state,
		store: join(state, "store"),
		generations: join(state, "generations"),
		current: join(state, "current"),
		good: join(state, "good"),
		journal: join(state, "journal.json"),
		catalogues: join(config, "catalogues"),
		fetchedCatalogues: join(state, "catalogues"),
		cataloguesSeen: join(state, "catalogues-seen.json"),
		log: join(state, "log.jsonl"),
		lock: join(state, "lock"),
		tmp: join(state, "tmp"),
		off: join(root, "etc/kfn/off"),
		bootCounter: join(state, "boot.json"),
		initramfs: join(state, "initramfs"),
		bootEnabled: join(root, "etc/kfn/boot-enabled.json"),
		bootRecords: join(root, "run/kfn/boot"),
		offload: join(state, "offload.json"),
		observations: join(state, "observations.json"),
		recall: join(state, "recall"),
		revoked: join(state, "recall/revoked.json"),
		recallList: join(state, "recall/list.json"),
		registry: join(state, "registry"),
		pins: join(root, "sys/fs/bpf/kfn"),
		trustSet: (name) => join(state, "tuf/sets", name),
		storeEntry: (sha256) => join(state, "store", sha256),
		generation,
		plan: (n) => join(generation(n), "plan.json"),
		applied: (n) => join(generation(n), "applied.json"),
		health: (n) => join(generation(n), "health.json"),
	};
}
