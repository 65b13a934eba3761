// The closed list of the kinds of statements that this registry publishes. Refuses every other.
import { ADVISORY_KIND } from "./advisory.ts";
import { CATALOGUE_KIND } from "./catalogue.ts";
import { CHANNEL_KIND } from "./channel.ts";
import type { StatementKind } from "./kind.ts";
import { PERMIT_KIND } from "./permit.ts";
import { REVOCATION_KIND } from "./revocation.ts";

export const STATEMENT_KINDS = {
	advisory: ADVISORY_KIND,
	catalogue: CATALOGUE_KIND,
	channel: CHANNEL_KIND,
	permit: PERMIT_KIND,
	revocation: REVOCATION_KIND,
} as const satisfies Readonly<Record<string, StatementKind>>;

export type StatementKindName = keyof typeof STATEMENT_KINDS;

export function isStatementKind(text: string): text is StatementKindName {
	return Object.hasOwn(STATEMENT_KINDS, text);
}
