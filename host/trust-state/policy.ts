// What the operator allows this host beyond TUF: etc/kfn/trust/policy.json (docs/formats/trust-state.md). Refuses to guess
// at a file that it does not understand, and knows nothing that would let a signature pass.
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { count, exact, oneOf, type Shape, ShapeError } from "../shape.ts";
import { readJson } from "../state-file.ts";

export interface TrustPolicy {
	/** How many days after its expiry a site without a fresh copy may still go by metadata; 0: not at all. */
	readonly stalenessDays: number;
}

export const MAX_STALENESS_DAYS = 365;

const days: Shape<number> = (value, where) => {
	const found = count(value, where);
	if (found <= MAX_STALENESS_DAYS) return found;
	throw new ShapeError(where, `at most ${MAX_STALENESS_DAYS} days`);
};

const shape = exact({ schema: oneOf("kfn.policy/1") }, { staleness: exact({ days }) });

/** HOST_TRUST_POLICY where the file is anything but the documented form; without one, nothing is allowed. */
export function readTrustPolicy(host: Host): TrustPolicy {
	const path = host.layout.trustPolicy;
	try {
		return { stalenessDays: readJson(path, shape)?.staleness?.days ?? 0 };
	} catch (cause) {
		throw new HostError("HOST_TRUST_POLICY", (cause as Error).message, {
			hint: `correct ${path}, for example {"schema":"kfn.policy/1","staleness":{"days":30}}, or remove it`,
			details: { path },
			cause,
		});
	}
}
