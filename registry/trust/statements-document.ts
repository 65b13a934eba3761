// What the metadata lists of one kind of statement about one name: the target `NAME/KIND.json`. Refuses to judge any of them.
import { envelopeValue } from "#signing/envelope.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { type StatementsDocument, targetPaths } from "../api/wire.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { StatementRecord } from "../ports/statement-store.ts";
import { STATEMENT_KINDS, type StatementKindName } from "../statements/kinds.ts";

type Target = { readonly path: string; readonly bytes: Uint8Array };

/** Those that have not expired, in byte order of their ids. */
export async function statementsTarget(
	reads: MetadataReads,
	{ kind, name }: { kind: StatementKindName; name: string },
	now: Date,
): Promise<Target> {
	return targetOf(kind, name, await reads.listStatements(kind, name, tufTime(now)));
}

/** One target for each kind and name of which something is listed. */
export async function everyStatementsTarget(reads: MetadataReads, now: Date): Promise<Target[]> {
	const targets: Target[] = [];
	for (const kind of Object.keys(STATEMENT_KINDS) as StatementKindName[]) {
		const records = await reads.listStatements(kind, null, tufTime(now));
		for (const [name, ofName] of Map.groupBy(records, (record) => record.name)) {
			targets.push(targetOf(kind, name, ofName));
		}
	}
	return targets;
}

function targetOf(kind: StatementKindName, name: string, records: readonly StatementRecord[]): Target {
	const { parse } = STATEMENT_KINDS[kind];
	const statements = records.map(({ bytes }) => envelopeValue(parse(bytes)));
	const document: StatementsDocument = { schema: "kfn.statements/1", kind, name, statements };
	return {
		path: targetPaths.statements(name, kind),
		bytes: new TextEncoder().encode(JSON.stringify(document)),
	};
}
