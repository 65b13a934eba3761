// Reads what a registry lists of one kind of statement about a name. Refuses what is not in the documented form
// (docs/formats/statements.md) as a whole; which of the statements count is their kind's to say.
import { catalogueOfValue, openCatalogue } from "#signing/catalogue.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { openPermit, permitOfValue } from "#signing/permit.ts";
import type { Publishers } from "#signing/publishers.ts";
import { openRevocation, revocationOfValue } from "#signing/revocation.ts";
import type { Vendors } from "#signing/vendors.ts";
import { CliError } from "../errors.ts";

/** What a reader must know of a kind of statement. */
export interface StatementForm {
	readonly kind: string;
	/** Reads one out of a document; a SigningError for what is none. */
	readonly ofValue: (value: unknown) => DsseEnvelope;
	/** A SigningError for what `publishers`, or `vendors` where it is about hardware, do not let anybody state about `name`. */
	readonly open: (
		envelope: DsseEnvelope,
		name: string,
		publishers: Publishers,
		vendors: Vendors,
	) => Promise<unknown>;
}

export const PERMIT_FORM: StatementForm = { kind: "permit", ofValue: permitOfValue, open: openPermit };
export const CATALOGUE_FORM: StatementForm = {
	kind: "catalogue",
	ofValue: catalogueOfValue,
	open: (envelope, _name, _publishers, vendors) => openCatalogue(envelope, vendors),
};

export const REVOCATION_FORM: StatementForm = {
	kind: "revocation",
	ofValue: revocationOfValue,
	open: openRevocation,
};

/** The statements as they stand there; CLI_REGISTRY_ANSWER unless it is the document of this kind and name. */
export function parseStatementsDocument(document: unknown, name: string, kind: string): readonly unknown[] {
	const fields = (typeof document === "object" ? document : null) as Readonly<Record<string, unknown>> | null;
	const { statements } = fields ?? {};
	const isOurs =
		fields?.["schema"] === "kfn.statements/1" && fields["kind"] === kind && fields["name"] === name;
	if (isOurs && Array.isArray(statements)) return statements;
	throw new CliError(
		"CLI_REGISTRY_ANSWER",
		`what the registry lists as ${kind} of ${name} is not in the documented form`,
		{ hint: "is this kfn recent enough for this registry?", details: { name, kind } },
	);
}
