// Flags that several commands share, spelled once.

import { Args, Flags } from "@oclif/core";

export const scopeFlag = () =>
	Flags.string({
		description: "where: netns:PATH or netns:root; without it, the network namespace this runs in",
		helpValue: "SCOPE",
	});

/** For every command that changes what runs. */
export const healthFlags = () => ({
	"health-window": Flags.string({
		helpValue: "SECONDS",
		description:
			"watch the change for so long before it counts, 0: not at all [default: config.json, else 1]",
	}),
	"health-check": Flags.string({
		helpValue: "COMMAND",
		description: "run this meanwhile, its words split at spaces; where it fails, the change is taken back",
	}),
});

export const registryFlag = () =>
	Flags.string({ description: "registry's address [env: KFN_REGISTRY]", helpValue: "URL" });

export const channelFlag = () =>
	Flags.string({
		helpValue: "CHANNEL",
		description: "stable or candidate: what counts as newest [default: config.json, else stable]",
	});

export const permitFlag = () =>
	Flags.string({
		helpValue: "FILE",
		description: "rollback permit of the publisher, for going to a lower version",
	});

/** As often as wanted, one value each; none is an empty list, of which the help has nothing to say. */
export const listFlag = (options: { description: string; helpValue: string; exclusive?: string[] }) =>
	Flags.string({
		...options,
		multiple: true,
		multipleNonGreedy: true,
		default: [],
		defaultHelp: async () => undefined,
	});

export const keyFlag = (options: { description: string }) => listFlag({ ...options, helpValue: "FILE" });

export const dataFlag = () =>
	Flags.string({ required: true, description: "the registry's folder", helpValue: "DIR" });

export const signAtOnceFlag = () =>
	keyFlag({
		description: "secret key file that signs at once; where the keys suffice, the change goes live",
	});

export const pubFlag = (options: { description: string; required: true }) =>
	Flags.string({ ...options, multiple: true, multipleNonGreedy: true, helpValue: "PUB" });

export const deviceIdsFlag = () =>
	listFlag({ description: "device id; without one, all of the vendor's devices", helpValue: "ID" });

export const roleFlag = Flags.custom<"root" | "targets">({
	options: ["root", "targets"],
	description: "whose signers or expiry",
});

export const sinceFlag = () =>
	Flags.string({
		description: "an older mirror or export: leave out what it has",
		helpValue: "PATH",
	});

export const pruneFlag = () =>
	Flags.boolean({ description: "remove what neither the new state nor the one before it needs" });

/** A device, and one function where not all are meant. */
export const deviceArgs = () => ({
	device: Args.string({ required: true, description: "eth0, or eth0@/run/netns/NAME" }),
	function: Args.string({
		required: false,
		description: "such as tso; without it, all that it can be about",
	}),
});
