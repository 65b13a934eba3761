// kfn/registry.json: what comes back, and what no host would believe.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { verifierKey } from "./log/note.ts";
import {
	logTrustOf,
	parseRegistryDocument,
	type RegistryDocument,
	serializeRegistryDocument,
} from "./registry-document.ts";

let sound: RegistryDocument;
beforeAll(async () => {
	const [log, one, two] = await Promise.all([1, 2, 3].map(async () => (await generateKeyPair()).publicKey));
	sound = {
		origin: "registry.example/log",
		log: { key: verifierKey("registry.example/log", "ed25519", log!) },
		witnesses: [verifierKey("one", "cosignature", one!), verifierKey("two", "cosignature", two!)],
		quorum: 2,
	};
});
const malformed = expect.objectContaining({ code: "TRUST_MALFORMED", exit: 3 });

test("what is written comes back, and says which log a host trusts", () => {
	expect(parseRegistryDocument(serializeRegistryDocument(sound))).toEqual(sound);
	expect(logTrustOf(sound)).toEqual({
		origin: sound.origin,
		key: sound.log?.key,
		witnesses: sound.witnesses,
		quorum: 2,
	});
	const without: RegistryDocument = { origin: "x", log: null, witnesses: [], quorum: 0 };
	expect(parseRegistryDocument(serializeRegistryDocument(without))).toEqual(without);
	expect(logTrustOf(without)).toBeUndefined();
});

test("one key as two witnesses would count twice", () => {
	const twin = verifierKey("twin", "cosignature", sound.witnesses[0]!.publicKey);
	const own = verifierKey("own", "cosignature", sound.log!.key.publicKey);
	for (const witness of [twin, own]) refused({ witnesses: [...sound.witnesses, witness] });
});

test("quorums, names and keys that do not fit", () => {
	refused({ quorum: 3 });
	refused({ quorum: -1 });
	refused({ quorum: 1.5 });
	refused({ quorum: Number.NaN });
	refused({ origin: "other" });
	refused({ origin: "" });
	refused({ origin: "two words" });
	refused({ log: null });
	const { publicKey } = sound.witnesses[1]!;
	refused({ witnesses: [sound.witnesses[0]!, verifierKey("one", "cosignature", publicKey)] });
});

test("other spellings, types and fields", () => {
	const text = Buffer.from(serializeRegistryDocument(sound)).toString();
	const [log, witness] = [...text.matchAll(/"key": "([^"]+)"/g)].map(([, key]) => key!) as [string, string];
	for (const bad of [
		text.trimEnd(),
		`${text}\n`,
		text.replace("kfn.registry/1", "kfn.registry/2"),
		text.replace('"quorum": 2', '"quorum": "2"'),
		text.replace('"quorum": 2', '"quorum": 2.0'),
		text.replace('"quorum": 2', '"quorum": 2, "extra": 1'),
		text.replace(log, witness),
		text.replace(witness, log),
		text.replace('"key": ', '"Key": '),
		"null",
		"[]",
		"",
	]) {
		expect(() => parseRegistryDocument(Buffer.from(bad)), bad).toThrow(malformed);
	}
});

function refused(change: Partial<RegistryDocument>): void {
	expect(() => serializeRegistryDocument({ ...sound, ...change })).toThrow(malformed);
}
