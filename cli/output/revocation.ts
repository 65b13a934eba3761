// A revocation for people and programs. Refuses to call anything in it verified.
import type { DsseEnvelope } from "#signing/envelope.ts";
import { type Revocation, unverifiedRevocation } from "#signing/revocation.ts";

export interface RevocationDocument extends Revocation {
	readonly file: string;
	/** Key ids, as the file lists them. */
	readonly signatures: readonly string[];
}

export function revocationDocument(envelope: DsseEnvelope, file: string): RevocationDocument {
	const signatures = envelope.signatures.map(({ keyid }) => keyid).sort();
	return { ...unverifiedRevocation(envelope), file, signatures };
}

export function revocationText(revocation: RevocationDocument): string {
	const { id, name, state, tags, builds, advisory, reason, issued, signatures } = revocation;
	const needs = state === "revoked" ? "one key suffices" : "the publisher's whole threshold must sign";
	return [
		`${state === "revoked" ? "revocation" : "withdrawal"}  ${id}`,
		`of          ${name}`,
		...tags.map((tag) => `source      ${tag}`),
		...builds.map(({ version, manifestSha256 }) => `build       ${version}, manifest ${manifestSha256}`),
		...(advisory === null ? [] : [`advisory    ${advisory}`]),
		`reason      ${reason}`,
		`issued      ${issued}`,
		signatures.length === 0
			? `signed      no (kfn recall sign adds a signature; ${needs})`
			: `signed      ${signatures.join(", ")}`,
	].join("\n");
}
