// A rollback permit for people and programs. Refuses to call anything in it verified.

import type { DsseEnvelope } from "#signing/envelope.ts";
import { type Permit, permitState, unverifiedPermit } from "#signing/permit.ts";

export interface PermitDocument extends Permit {
	readonly file: string;
	/** By this machine's clock. */
	readonly state: "not-yet" | "in-force" | "expired";
	/** Key ids, as the file lists them. */
	readonly signatures: readonly string[];
}

export function permitDocument(envelope: DsseEnvelope, file: string, now: Date): PermitDocument {
	const permit = unverifiedPermit(envelope);
	const signatures = envelope.signatures.map(({ keyid }) => keyid).sort();
	return { ...permit, file, state: permitState(permit, now), signatures };
}

export function permitText(permit: PermitDocument): string {
	const { id, name, from, to, reason, issued, expires, state, signatures } = permit;
	return [
		`permit    ${id}`,
		`leave     ${name} ${from}`,
		`for       ${name} ${to.version}`,
		`manifest  ${to.manifestSha256}`,
		`reason    ${reason}`,
		`in force  ${issued} to ${expires}${state === "in-force" ? "" : ` (${state})`}`,
		signatures.length === 0
			? "signed    no (kfn permit sign adds a signature)"
			: `signed    ${signatures.join(", ")}`,
	].join("\n");
}
