// The shapes of what `kfn-load` answers (docs/formats/host-state.md names who reads them). Refuses answers that lack what the host relies on.
import {
	anything,
	count,
	flag,
	listOf,
	mapOf,
	matching,
	oneOf,
	open,
	orNull,
	type Shape,
	text,
} from "./shape.ts";

const program = open({
	name: text,
	section: text,
	insns: count,
	insnsDigest: orNull(text),
	kernelTag: text,
	verifiedInsns: count,
});

const loaded = {
	function: text,
	abi: count,
	scope: text,
	bundle: open({ name: text, version: text, sha256: text }),
	tag: text,
	variant: text,
	verified: oneOf("loader", "kernel"),
	programs: listOf(program),
	vectors: open({ run: count }),
};

/** Files of before kernel-checked signatures lack it. `keyring`: where the kernel found the signer's key. */
const verifiedBy = { keyring: orNull(text), verifiedReason: text };

/** One function that the loader has verified and loaded. */
const checkedFunction = open(loaded, verifiedBy);

/** One function of an applied plan: what was done for it, and how long the link call took. */
export type AppliedFunction = ReturnType<typeof appliedFunction>;
const appliedFunction = open(
	{ ...loaded, step: oneOf("attach", "replace", "keep", "none") },
	/** `planned`: the plan's own scope, where that describes many places and this is one of them. */
	{ ...verifiedBy, nanoseconds: count, planned: text },
);

const pin = open(
	{
		function: text,
		scope: text,
		/** `id` is 0 of a filter, which is no link; `ifindex` is null where it hangs on the namespace itself. */
		link: orNull(open({ id: count, type: text, netnsInode: count, alive: flag }, { ifindex: orNull(count) })),
		programs: listOf(
			open(
				{ name: text, id: count, kernelTag: text },
				{ loadedAt: count, verifiedInsns: count, jitedBytes: count, runCount: count, runNanoseconds: count },
			),
		),
		pinnedProgramId: orNull(count),
	},
	{ keyring: orNull(text) },
);

/** One function's pins as the loader found them. */
export type Pin = ReturnType<typeof pin>;

const owner = open({
	createdByUid: count,
	/** Unix seconds. */
	loadedAt: count,
	/** The link that attaches it; null where it was attached without one. */
	linkId: orNull(count),
	pins: listOf(text),
	holders: listOf(open({ pid: count, name: text })),
	/** False: there was more to look at than the loader does. */
	complete: flag,
});

const foreign = open({ scope: text, hook: text, programId: count }, { name: text, kernelTag: text, owner });
/** A program on one of our hooks that is not ours. */
export type ForeignProgram = ReturnType<typeof foreign>;

const have = open({ have: oneOf("yes", "no", "unknown") }, { reason: text });

export type OkAnswer = { ok: true };
export const okAnswer: Shape<OkAnswer> = open({ ok: oneOf(true) });

export const versionAnswer = open({ ok: oneOf(true), version: text });
export type VersionAnswer = ReturnType<typeof versionAnswer>;

export const probeAnswer = open(
	{ ok: oneOf(true), kernel: text, features: mapOf(have) },
	{ bpffs: have, kernelSignatures: have },
);
export type ProbeAnswer = ReturnType<typeof probeAnswer>;

export const kernelKeysAnswer = open({
	ok: oneOf(true),
	kernelSignatures: have,
	keyrings: mapOf(orNull(listOf(text))),
	problem: orNull(text),
});
/** What the kernel's keyrings hold, by name, and what this host's certificates give it; null where one is not there. */
export type KernelKeysAnswer = ReturnType<typeof kernelKeysAnswer>;

const refusal = open({
	number: count,
	/** Unix seconds. */
	at: count,
	pid: count,
	uid: count,
	command: text,
	/** The file's name, without its folder. */
	executable: text,
	type: text,
	name: text,
	/** False: it was let in, because the mode was audit. */
	denied: flag,
});

export const lockdownAnswer = open({
	ok: oneOf(true),
	/** Whether the kernel asks BPF LSM programs; unknown: there is no securityfs to read it from. */
	possible: oneOf("yes", "no", "unknown"),
	mode: oneOf("off", "audit", "enforce"),
	/** What lockdown.json says. */
	configured: oneOf("off", "audit", "enforce"),
	since: orNull(count),
	counts: open({ bySignature: count, byExecutable: count, byKernel: count, refused: count }),
	executables: listOf(open({ path: text, admitted: flag, reason: orNull(text) })),
	/** The last ones, oldest first. */
	refusals: listOf(refusal),
});
/** Which programs the kernel lets in, and what it let in and did not. */
export type LockdownAnswer = ReturnType<typeof lockdownAnswer>;

const failed = open(
	{ code: matching(/^LOAD_[A-Z0-9_]+$/, "a code of the loader"), message: text },
	{ hint: text, details: mapOf(anything) },
);

/** A function that failed and stays as it is, as the caller allowed; `apply` says whether it runs. */
export type LeftFunction = ReturnType<typeof leftFunction>;
const leftFunction = open({ function: text, scope: text, error: failed }, { running: flag, planned: text });

export const checkAnswer = open({
	ok: oneOf(true),
	functions: listOf(checkedFunction),
	left: listOf(leftFunction),
});
export type CheckAnswer = ReturnType<typeof checkAnswer>;

export const applyAnswer = open({
	ok: oneOf(true),
	functions: listOf(appliedFunction),
	detached: listOf(open({ function: text, scope: text })),
	left: listOf(leftFunction),
});
export type ApplyAnswer = ReturnType<typeof applyAnswer>;

const image = open({ id: count, kernelTag: text, xlatedBytes: count, jitedBytes: count, maps: count });

/** What comparing the running program with a second copy from the store told of one function. */
export type ProvedFunction = ReturnType<typeof provedFunction>;
const provedFunction = open(
	{
		function: text,
		scope: text,
		proof: oneOf("proved", "differs", "unknown"),
		/** Why not `proved`; null where `error` says it. */
		reason: orNull(text),
		running: orNull(image),
		copy: orNull(image),
		error: orNull(failed),
	},
	{ planned: text },
);

export const proveAnswer = open({ ok: oneOf(true), functions: listOf(provedFunction) });
export type ProveAnswer = ReturnType<typeof proveAnswer>;

export const scopesAnswer = open({
	ok: oneOf(true),
	scopes: listOf(
		open({
			scope: text,
			instances: listOf(open({ scope: text, netnsInode: count, ifindex: orNull(count) })),
			problem: orNull(failed),
		}),
	),
});
/** The places that scopes mean now, each scope by itself. */
export type ScopesAnswer = ReturnType<typeof scopesAnswer>;

const segment = orNull(matching(/^([0-9a-f]{2})*$/, "hex"));
export const observeAnswer = open({
	ok: oneOf(true),
	/** Superpackets that were sent, and the segments that the program made of them. */
	superpackets: count,
	segments: count,
	mtu: count,
	differences: listOf(
		open({
			superpacket: text,
			what: oneOf("bytes", "missing", "extra", "whole"),
			mss: count,
			payload: count,
			segments: count,
			segment: count,
			software: segment,
			device: segment,
		}),
	),
});
/** Where a device and the program of a plan made different packets of the same superpackets: the first differences only. */
export type ObserveAnswer = ReturnType<typeof observeAnswer>;

export const watchAnswer = open({
	ok: oneOf(true),
	milliseconds: count,
	functions: listOf(
		open({
			function: text,
			scope: text,
			programId: count,
			verdicts: orNull(open({ ok: count, drop: count, continue: count, other: count })),
			reason: orNull(text),
			runs: orNull(count),
			nanoseconds: orNull(count),
		}),
	),
});
/** What running programs did while they were watched. */
export type WatchAnswer = ReturnType<typeof watchAnswer>;

export const inspectAnswer = open({ ok: oneOf(true), pins: listOf(pin), foreign: listOf(foreign) });
export type InspectAnswer = ReturnType<typeof inspectAnswer>;

export const failureAnswer = open({ ok: oneOf(false), error: failed });

/** What `applied.json` holds of each function. */
export const appliedFunctions = listOf(appliedFunction);
