// What a draft shows of itself: the difference to the version before, and the file that carries it.

import { describe, expect, test } from "vitest";
import type { SecretKey } from "../ed25519.ts";
import { SigningError } from "../errors.ts";
import { serializePublishers } from "../publishers.ts";
import { parseDraft, serializeDraft, type TargetsDraft } from "./draft.ts";
import { differences } from "./draft-difference.ts";
import { demandsOf, isComplete } from "./draft-signatures.ts";
import { withoutSigner, withSigner } from "./next-root.ts";
import {
	nextTargets,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	withBinsKey,
	withDocuments,
} from "./next-targets.ts";
import {
	code,
	DOCUMENTS,
	idOf,
	LATER,
	online,
	publics,
	roots,
	rootTwo,
	signedBy,
	signers,
	stranger,
	targetsOne,
	unsigned,
} from "./testing/drafts.ts";

describe("the difference to the previous version", () => {
	test("of a root: what was added, removed and changed, and nothing else", async () => {
		const draft = await rootTwo((root) =>
			withoutSigner(withSigner(root, "root", { key: stranger.publicKey, threshold: 3 }), "root", {
				keyid: idOf(roots[0]!),
				threshold: undefined,
			}),
		);
		const hex = (secret: SecretKey) => Buffer.from(secret.publicKey.bytes).toString("hex");
		expect(differences(draft)).toEqual([
			{ what: "version", before: "1", after: "2" },
			{ what: "expires", before: "2027-11-28T12:00:00Z", after: "2028-02-29T00:00:00Z" },
			{ what: "roles.root.threshold", before: "2", after: "3" },
			{ what: `roles.root.key ${idOf(stranger)}`, before: null, after: "may sign" },
			{ what: `keys.${idOf(stranger)}`, before: null, after: hex(stranger) },
			{ what: `roles.root.key ${idOf(roots[0]!)}`, before: "may sign", after: null },
			{ what: `keys.${idOf(roots[0]!)}`, before: hex(roots[0]!), after: null },
		]);
	});

	test("of targets: the publishers, key by key, and the order in which they decide", async () => {
		const first = await targetsOne();
		const entry = { names: ["gro"], threshold: 1, keys: publics([stranger]) };
		const documents = { ...DOCUMENTS, [PUBLISHERS_TARGET]: serializePublishers({ publishers: [entry] }) };
		const metadata = unsigned(withDocuments(nextTargets(first.metadata.signed, LATER), documents));
		const { metadata: live, documents: old } = first;
		const draft: TargetsDraft = {
			...first,
			metadata,
			documents,
			previous: { metadata: live, documents: old },
		};
		const found = differences(draft);
		expect(found.map(({ what }) => what)).toEqual([
			"version",
			"expires",
			"kfn/publishers.json sha256",
			"kfn/publishers.json order",
			"kfn/publishers.json gro.threshold",
			`kfn/publishers.json gro.key ${stranger.publicKey.keyid}`,
		]);
		expect(found.at(-1)).toMatchObject({ before: null, after: "may sign" });
	});

	test("of the bins' key", async () => {
		const first = await targetsOne();
		const metadata = unsigned(withBinsKey(nextTargets(first.metadata.signed, LATER), online[5]!.publicKey));
		const draft = { ...first, metadata, previous: { metadata: first.metadata, documents: first.documents } };
		const what = differences(draft).map((difference) => difference.what);
		expect(what).toContain(`bins.key ${idOf(online[5]!)}`);
		expect(what).toContain(`bins.key ${idOf(online[2]!)}`);
		expect(what).not.toContain("bins.bit_length");
	});

	test("of a first version, all that it says", async () => {
		const found = differences(await targetsOne());
		expect(found).toContainEqual({ what: "bins.bit_length", before: null, after: "4" });
		expect(found).toContainEqual({ what: "kfn/registry.json.origin", before: null, after: "test/log" });
	});
});

describe("the file kfn.draft/1", () => {
	test("comes back as it was, both roles", async () => {
		for (const draft of [await targetsOne(), await rootTwo((root) => root)]) {
			const bytes = serializeDraft(draft);
			expect(serializeDraft(parseDraft(bytes))).toEqual(bytes);
			expect(differences(parseDraft(bytes))).toEqual(differences(draft));
		}
	});

	type Fields = Record<string, unknown>;
	const spoiled = async (which: "root" | "targets", change: (file: Fields) => void) => {
		const draft = which === "root" ? await rootTwo((root) => root) : await targetsOne();
		const file = JSON.parse(Buffer.from(serializeDraft(draft)).toString()) as Fields;
		change(file);
		return code(() => parseDraft(Buffer.from(JSON.stringify(file))));
	};
	const at = (file: Fields, ...path: string[]) =>
		path.reduce<Fields>((value, field) => value[field] as Fields, file);

	test.each<[string, "root" | "targets", (file: Fields) => void]>([
		["another schema", "root", (file) => Object.assign(file, { schema: "kfn.draft/2" })],
		["another role", "root", (file) => Object.assign(file, { role: "targets" })],
		["a role that nobody drafts", "root", (file) => Object.assign(file, { role: "snapshot" })],
		["a field more", "root", (file) => Object.assign(file, { note: "" })],
		["no previous version", "root", (file) => Object.assign(file, { previous: null })],
		["a skipped version", "root", (file) => Object.assign(at(file, "metadata", "signed"), { version: 3 })],
		["a field in what is signed", "root", (file) => Object.assign(at(file, "metadata", "signed"), { x: 1 })],
		[
			"a role more",
			"root",
			(file) => Object.assign(at(file, "metadata", "signed", "roles"), { mirrors: {} }),
		],
		[
			"a delegation by role beside the bins",
			"targets",
			(file) => Object.assign(at(file, "metadata", "signed", "delegations"), { roles: [] }),
		],
		[
			"a number that canonical JSON cannot hold",
			"root",
			(file) => Object.assign(at(file, "metadata", "signed", "roles", "root"), { x: 1.5 }),
		],
		[
			"a key with a field more",
			"root",
			(file) => Object.assign(Object.values(at(file, "metadata", "signed", "keys"))[0] as Fields, { x: 1 }),
		],
		[
			"documents of another text",
			"targets",
			(file) => Object.assign(at(file, "documents"), { [PUBLISHERS_TARGET]: "{}" }),
		],
		["a document more", "targets", (file) => Object.assign(at(file, "documents"), { "kfn/more.json": "" })],
		[
			"a document that is no text",
			"targets",
			(file) => Object.assign(at(file, "documents"), { [REGISTRY_TARGET]: 1 }),
		],
		[
			"a target more",
			"targets",
			(file) =>
				Object.assign(at(file, "metadata", "signed", "targets"), {
					"gro/index.json": { length: 1, hashes: { sha256: "0".repeat(64) } },
				}),
		],
		["no root", "targets", (file) => Object.assign(file, { root: null })],
		[
			"a delegation by path beside the bins",
			"targets",
			(file) => Object.assign(at(file, "metadata", "signed"), { delegated: [] }),
		],
	])("%s is DRAFT_MALFORMED", async (_what, which, change) => {
		expect(await spoiled(which, change)).toBe("DRAFT_MALFORMED");
	});

	test("with any byte changed it is another draft, or refused, or its signatures do not fit", async () => {
		const draft = await signedBy(await targetsOne(), signers);
		const bytes = serializeDraft(draft);
		for (let index = 0; index < bytes.byteLength; index += 3) {
			const changed = new Uint8Array(bytes);
			changed[index] = changed[index]! ^ (1 << (index % 8));
			try {
				const parsed = parseDraft(changed) as TargetsDraft;
				if (!isComplete(await demandsOf(parsed))) continue;
				expect(parsed.metadata.signed).toEqual(draft.metadata.signed);
				expect(parsed.documents).toEqual(draft.documents);
			} catch (error) {
				expect(error).toBeInstanceOf(SigningError);
			}
		}
	});
});
