import { Metadata, MetadataKind, Targets } from "@tufjs/models";
import { describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "../ed25519.ts";
import { binNames, binOf, bitLengthOf } from "./bins.ts";
import { type TufKey, tufKeyId, tufKeyOf } from "./key.ts";
import { parseEnvelope, type RootSigned, serializeEnvelope, type TopLevelRole } from "./metadata.ts";
import { demandThreshold, signEnvelope, signersOf, signNew } from "./sign.ts";
import { expiryAfter } from "./time.ts";

const NOW = new Date("2026-11-28T12:00:00.500Z");

function rootOf(secrets: readonly SecretKey[], threshold: number): RootSigned {
	const keys = Object.fromEntries(
		secrets.map(({ publicKey }) => [tufKeyId(tufKeyOf(publicKey)), tufKeyOf(publicKey)]),
	) as Record<ReturnType<typeof tufKeyId>, TufKey>;
	const role = { keyids: Object.keys(keys) as ReturnType<typeof tufKeyId>[], threshold };
	return {
		_type: "root",
		spec_version: "1.0.34",
		version: 1,
		expires: expiryAfter(NOW, 365),
		consistent_snapshot: true,
		keys,
		roles: { root: role, targets: role, snapshot: role, timestamp: role },
	};
}

const code = async (work: () => unknown): Promise<string> => {
	try {
		await work();
	} catch (error) {
		return (error as { code: string }).code;
	}
	return "no error";
};

describe("against @tufjs/models", () => {
	test("its verifier takes our signatures and its reader our bytes", async () => {
		const secrets = [await generateKeyPair(), await generateKeyPair()];
		const bytes = serializeEnvelope(await signNew(rootOf(secrets, 2), secrets));
		const theirs = Metadata.fromJSON(MetadataKind.Root, JSON.parse(Buffer.from(bytes).toString()));
		theirs.verifyDelegate("root", theirs);
		expect(theirs.signed.isExpired(new Date("2027-11-28T11:59:59Z"))).toBe(false);
		expect(theirs.signed.isExpired(new Date("2027-11-28T12:00:00Z"))).toBe(true);
	});

	test.each([2, 16, 32, 256, 1024])("with %i bins a target lies in the same one", (count) => {
		const shape = { bit_length: bitLengthOf(count), name_prefix: "bin" };
		const succinct_roles = { keyids: ["k"], threshold: 1, ...shape };
		const theirs = Targets.fromJSON({
			_type: "targets",
			spec_version: "1.0.34",
			version: 1,
			expires: expiryAfter(NOW, 1),
			targets: {},
			delegations: { keys: {}, succinct_roles },
		}).delegations!;
		expect(binNames(shape)).toEqual([...theirs.succinctRoles!.getRoles()]);
		for (let i = 0; i < 500; i++) {
			const path = `n${i}/index.json`;
			expect([...theirs.rolesForTarget(path)].map(({ role }) => role)).toEqual([binOf(path, shape)]);
		}
	});
});

describe("thresholds", () => {
	test("a key counts once, a foreign key not at all, a changed byte voids all", async () => {
		const [a, b, foreign] = [await generateKeyPair(), await generateKeyPair(), await generateKeyPair()];
		const signed = rootOf([a, b], 2);
		let envelope = await signNew(signed, [a, foreign]);
		envelope = await signEnvelope(envelope, a);
		expect(await signersOf(envelope, signed.roles.root, signed.keys)).toHaveLength(1);
		expect(await code(() => demandThreshold(envelope, signed.roles.root, signed.keys, "root"))).toBe(
			"TRUST_SIGNATURES",
		);
		envelope = await signEnvelope(envelope, b);
		await demandThreshold(envelope, signed.roles.root, signed.keys, "root");
		const changed = { ...envelope, signed: { ...signed, version: 2 } };
		expect(await signersOf(changed, signed.roles.root, signed.keys)).toEqual([]);
	});
});

describe("reading back", () => {
	test("what was written comes back, in one spelling", async () => {
		const secrets = [await generateKeyPair(), await generateKeyPair()];
		const envelope = await signNew(rootOf(secrets, 1), secrets);
		const bytes = serializeEnvelope(envelope);
		expect(serializeEnvelope(parseEnvelope(bytes, "root"))).toEqual(bytes);
	});

	const spoil = (change: (file: Record<string, unknown>) => void) => async () => {
		const secret = await generateKeyPair();
		const file = JSON.parse(
			Buffer.from(serializeEnvelope(await signNew(rootOf([secret], 1), [secret]))).toString(),
		);
		change(file);
		parseEnvelope(Buffer.from(JSON.stringify(file)), "root");
	};
	const signedOf = (file: Record<string, unknown>) => file["signed"] as Record<string, unknown>;
	const first = <T>(fields: unknown): T => Object.values(fields as Record<string, T>)[0] as T;

	test.each<[string, (file: Record<string, unknown>) => void]>([
		["another role", (file) => Object.assign(signedOf(file), { _type: "targets" })],
		["a version of 0", (file) => Object.assign(signedOf(file), { version: 0 })],
		["a version that is no number", (file) => Object.assign(signedOf(file), { version: "1" })],
		["an expiry in another spelling", (file) => Object.assign(signedOf(file), { expires: "2027-01-01" })],
		["a field beside its two", (file) => Object.assign(file, { more: 1 })],
		[
			"a key signing twice",
			(file) => Object.assign(file, { signatures: [first(file["signatures"]), first(file["signatures"])] }),
		],
		[
			"a key under another key's id",
			(file) => Object.assign(first<object>(signedOf(file)["keys"]), { keyval: { public: "00".repeat(32) } }),
		],
		["a threshold of 0", (file) => Object.assign(first<object>(signedOf(file)["roles"]), { threshold: 0 })],
		[
			"a threshold above the keys",
			(file) => Object.assign(first<object>(signedOf(file)["roles"]), { threshold: 2 }),
		],
		[
			"a key listed twice by a role",
			(file) => {
				const role = first<{ keyids: string[] }>(signedOf(file)["roles"]);
				role.keyids = [role.keyids[0]!, role.keyids[0]!];
			},
		],
		["no consistent snapshot", (file) => Object.assign(signedOf(file), { consistent_snapshot: false })],
	])("%s is TRUST_MALFORMED", async (_what, change) => {
		expect(await code(spoil(change))).toBe("TRUST_MALFORMED");
	});

	test("every prefix of a file is TRUST_MALFORMED", async () => {
		const secret = await generateKeyPair();
		const bytes = serializeEnvelope(await signNew(rootOf([secret], 1), [secret]));
		for (const role of ["root", "targets"] as TopLevelRole[]) {
			for (let end = 0; end < bytes.byteLength; end += 7) {
				expect(await code(() => parseEnvelope(bytes.slice(0, end), role))).toBe("TRUST_MALFORMED");
			}
		}
	});
});
