// What a host may believe of its registry, as text.
import type { TrustStatus } from "#host/trust-state/report.ts";

/** One line, and a hint where there is something to do. */
export function trustText(trust: TrustStatus): string {
	return [`trust: ${sentence(trust)}`, ...hintOf(trust)].join("\n");
}

function sentence({ state, root, freshUntil, suspended, problem }: TrustStatus): string {
	const version = `root ${root?.version}`;
	switch (state) {
		case "unpinned":
			return "no registry root is pinned";
		case "unread":
			return `${version} is pinned; nothing of the registry was verified yet`;
		case "fresh":
			return `${version}, metadata is fresh until ${freshUntil}`;
		case "expired":
			return `${version}, metadata expired at ${freshUntil}; the next read of the registry must bring newer`;
		case "suspended":
			return `${version}, ${suspended?.guarantee} is suspended since ${suspended?.since}: ${suspended?.roles.join(", ")} expired, and policy lets it count`;
		case "incomplete":
			return `${version}, the last refresh was refused half-way`;
		case "damaged":
			return `${problem?.message} [${problem?.code}]`;
	}
}

function hintOf({ problem }: TrustStatus): string[] {
	return problem?.hint == null ? [] : [`  hint: ${problem.hint}`];
}
