// Whose signatures kfn-load takes, without privilege: signatures by name of the attack, and publishers. All of it is refused
// before the first bpf() call.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	type BundleSpec,
	type Json,
	keyOfRaw,
	LOADER,
	make,
	newKey,
	Rig,
	sha256,
	signatureFile,
	signatureOf,
} from "./fixture.ts";

const SCOPE = "netns:/run/netns/kfn-load-none";
let rig: Rig;

beforeAll(() => {
	make("all");
	rig = new Rig();
});
afterAll(() => rig.dispose());

describe("signatures", () => {
	function refused(code: string, spec: BundleSpec): void {
		const answer = rig.check([rig.bundle(spec).planned(SCOPE)]);
		expect(answer).toMatchObject({ code, exit: 3, stderr: "" });
	}
	const signed = (change: (entry: { keyid: string; sig: string }) => Json | Json[]) => (manifest: Buffer) =>
		signatureFile([change(signatureOf(rig.key, manifest))].flat() as never);
	const edit = (change: (text: string) => string) => (manifest: Buffer) =>
		Buffer.from(change(signatureFile([signatureOf(rig.key, manifest)]).toString()));

	test("no signature at all", () => refused("LOAD_SIGNATURE_MISSING", { keys: [] }));

	test("a key that nobody trusts", () => refused("LOAD_SIGNATURE_UNKNOWN_KEY", { keys: [newKey()] }));

	test("a good signature beside one of a stranger", () =>
		refused("LOAD_SIGNATURE_UNKNOWN_KEY", { keys: [rig.key, newKey()] }));

	test("a signature over another manifest, another type, and over the bare bytes", () => {
		const other = (make: (manifest: Buffer) => { keyid: string; sig: string }) => (manifest: Buffer) =>
			signatureFile([make(manifest)]);
		refused("LOAD_SIGNATURE_INVALID", { signatures: other(() => signatureOf(rig.key, Buffer.from("{}"))) });
		refused("LOAD_SIGNATURE_INVALID", { signatures: other((m) => signatureOf(rig.key, m, "text/plain")) });
	});

	test("a stranger's signature under the trusted keyid", () => {
		const forged = (manifest: Buffer) =>
			signatureFile([{ ...signatureOf(newKey(), manifest), keyid: rig.key.keyid }]);
		refused("LOAD_SIGNATURE_INVALID", { signatures: forged });
	});

	test("the same key twice", () =>
		refused("LOAD_SIGNATURE_REPEATED", { signatures: signed((entry) => [entry, entry]) }));

	test("S + L: the same signature, spelled a second time", () => {
		const order = 2n ** 252n + 27742317777372353535851937790883648493n;
		const malleable = signed((entry) => {
			const bytes = Buffer.from(entry.sig, "base64");
			let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + order;
			for (let i = 32; i < 64; i++, s >>= 8n) bytes[i] = Number(s & 255n);
			return { ...entry, sig: bytes.toString("base64") };
		});
		refused("LOAD_SIGNATURE_INVALID", { signatures: malleable });
	});

	test("second spellings of the file and of base64", () => {
		const cases: ((text: string) => string)[] = [
			(text) => text.trimEnd(),
			(text) => `${text}\n`,
			(text) => text.replaceAll("  ", "\t"),
			(text) => text.replace("kfn.signatures/1", "kfn.signatures/2"),
			(text) => text.replace("vnd.kfn", "vnd.other"),
			(text) => text.replace('"signatures"', '"more": 1,\n  "signatures"'),
			(text) => text.replace('"keyid"', '"keyid": "", "keyid"'),
			(text) => text.replace(/("keyid": ".*"),\n(\s+)("sig": ".*")/, "$3,\n$2$1"),
			(text) => text.replace('=="', '=" '),
			(text) =>
				text.replace(
					/.==/,
					(end) => `${end[0] === "A" ? "B" : String.fromCharCode(end.charCodeAt(0) + 1)}==`,
				),
			(text) => text.replaceAll("/", "\\/"),
			() => "[]",
			() => "",
		];
		for (const change of cases) refused("LOAD_SIGNATURE_MALFORMED", { signatures: edit(change) });
	});

	test("a key of small order, under which anyone can sign anything", () => {
		const weak = keyOfRaw(Buffer.from([1, ...Array<number>(31).fill(0)]), newKey().secret);
		rig.trust([{ names: ["*"], threshold: 1, keys: [weak.line] }]);
		const zero = { keyid: weak.keyid, sig: Buffer.concat([weak.raw, Buffer.alloc(32)]).toString("base64") };
		refused("LOAD_PUBLISHERS_INVALID", { signatures: () => signatureFile([zero]) });
		rig.trust([{ names: ["flow-dissector"], threshold: 1, keys: [rig.key.line] }]);
	});

	test("a threshold of two, one key signing: refused; two: verified (it goes on to the kernel)", () => {
		const second = newKey();
		rig.trust([{ names: ["flow-dissector"], threshold: 2, keys: [rig.key.line, second.line] }]);
		refused("LOAD_SIGNATURE_THRESHOLD", { keys: [rig.key] });
		const both = rig.check([rig.bundle({ keys: [rig.key, second], function: "other" }).planned(SCOPE)]);
		expect(both.body.error?.code ?? "ok").not.toMatch(/SIGNATURE|PUBLISHERS/);
		rig.trust([{ names: ["flow-dissector"], threshold: 1, keys: [rig.key.line] }]);
	});

	test("a manifest changed after it was planned, by one byte", () => {
		const bundle = rig.bundle({ mark: 2 });
		writeFileSync(join(bundle.dir, "kfn.json"), bundle.manifest.toString().replace("a test", "a tesT"));
		expect(rig.check([bundle.planned(SCOPE)])).toMatchObject({ code: "LOAD_MANIFEST_DIGEST", exit: 3 });
	});

	test("a manifest changed, planned and not signed anew", () => {
		const bundle = rig.bundle({ mark: 3 });
		const changed = Buffer.from(bundle.manifest.toString().replace("a test", "a tesT"));
		writeFileSync(join(bundle.dir, "kfn.json"), changed);
		const planned = bundle.planned(SCOPE);
		planned["bundle"] = { ...(planned["bundle"] as object), manifestSha256: sha256(changed) };
		expect(rig.check([planned])).toMatchObject({ code: "LOAD_SIGNATURE_INVALID", exit: 3 });
	});

	test("kfn.json as a symlink, and no kfn.sig.json", () => {
		const bundle = rig.bundle({ mark: 4 });
		const moved = join(rig.root, "kfn.json");
		writeFileSync(moved, bundle.manifest);
		rmSync(join(bundle.dir, "kfn.json"));
		symlinkSync(moved, join(bundle.dir, "kfn.json"));
		expect(rig.check([bundle.planned(SCOPE)]).code).toBe("LOAD_FILE_UNREADABLE");
		const unsigned = rig.bundle({ mark: 5 });
		rmSync(join(unsigned.dir, "kfn.sig.json"));
		expect(rig.check([unsigned.planned(SCOPE)]).code).toBe("LOAD_FILE_UNREADABLE");
	});
});

describe("publishers", () => {
	const check = () => rig.check([rig.bundle({ mark: 6 }).planned(SCOPE)]);
	const entry = (over: Json = {}) => ({
		names: ["flow-dissector"],
		threshold: 1,
		keys: [rig.key.line],
		...over,
	});

	test("nobody is trusted for the name; the first match decides, alone", () => {
		rig.trust([entry({ names: ["other", "acme-*"] })]);
		expect(check()).toMatchObject({ code: "LOAD_PUBLISHERS_NO_MATCH", exit: 3 });
		rig.trust([]);
		expect(check().code).toBe("LOAD_PUBLISHERS_NO_MATCH");
		rig.trust([entry({ names: ["flow-*"], keys: [newKey().line] }), entry()]);
		expect(check().code).toBe("LOAD_SIGNATURE_UNKNOWN_KEY");
	});

	test("no file: nothing is trusted", () => {
		rmSync(rig.trustFile);
		expect(check().code).toBe("LOAD_PUBLISHERS_NO_MATCH");
	});

	const registryMap = () => join(rig.tuf, "current/publishers.json");
	const trusted = () => expect(check().body.error?.code ?? "ok").not.toMatch(/SIGNATURE|PUBLISHERS|FILE/);

	test("the registry's map decides only where the operator's own file has no entry for the name", () => {
		const stranger = entry({ keys: [newKey().line] });
		rmSync(rig.trustFile, { force: true });
		rig.trustRegistry([entry()]);
		trusted();
		rig.trust([entry({ names: ["other"] })]);
		trusted();
		rig.trust([stranger]);
		expect(check().code).toBe("LOAD_SIGNATURE_UNKNOWN_KEY");
		rig.trust([entry()]);
		rig.trustRegistry([stranger]);
		trusted();
		// Not even looked at: what a registry sends cannot spoil what the operator decided.
		writeFileSync(registryMap(), "{");
		trusted();
		rig.trust([]);
		expect(check().code).toBe("LOAD_PUBLISHERS_INVALID");
		rmSync(rig.tuf, { recursive: true });
		expect(check().code).toBe("LOAD_PUBLISHERS_NO_MATCH");
	});

	test("the registry's map is the one that was verified, or nothing is trusted by it", () => {
		const thief = entry({ keys: [rig.key.line] });
		const evil = JSON.stringify({ schema: "kfn.publishers/1", publishers: [thief] });
		const record = () => join(rig.tuf, "current/set.json");
		rig.trust([]);
		const honest = () => {
			rig.trustRegistry([entry({ keys: [newKey().line] })]);
			expect(check().code).toBe("LOAD_SIGNATURE_UNKNOWN_KEY");
		};
		const spoil: [string, () => void][] = [
			["map changed", () => writeFileSync(registryMap(), evil)],
			["map cut short", () => writeFileSync(registryMap(), readFileSync(registryMap()).subarray(0, -1))],
			[
				"map and record changed",
				() => {
					writeFileSync(registryMap(), evil);
					const files = { "publishers.json": { sha256: sha256(evil), size: evil.length } };
					writeFileSync(record(), JSON.stringify({ files }));
				},
			],
			["record without its form", () => renameTo("{}")],
			["link too long", () => pointTo(`sets/1-${"0".repeat(64)}/../../x`)],
			["link elsewhere", () => pointTo("elsewhere")],
			["link upwards", () => pointTo(`sets/../1-${"0".repeat(64)}`)],
			[
				"a folder in the link's place",
				() => {
					rmSync(join(rig.tuf, "current"));
					mkdirSync(join(rig.tuf, "current"));
					writeFileSync(registryMap(), evil);
				},
			],
		];
		function pointTo(target: string): void {
			rmSync(join(rig.tuf, "current"));
			symlinkSync(target, join(rig.tuf, "current"));
		}
		/** A set whose name fits its record, with a record that says nothing. */
		function renameTo(text: string): void {
			const set = `sets/1-${sha256(text)}`;
			mkdirSync(join(rig.tuf, set));
			writeFileSync(join(rig.tuf, set, "set.json"), text);
			writeFileSync(join(rig.tuf, set, "publishers.json"), evil);
			pointTo(set);
		}
		for (const [what, spoiling] of spoil) {
			honest();
			spoiling();
			expect(check(), what).toMatchObject({ code: "LOAD_PUBLISHERS_INVALID", exit: 3 });
			rmSync(rig.tuf, { recursive: true });
		}
		honest();
		rmSync(registryMap());
		expect(check().code).toBe("LOAD_FILE_UNREADABLE");
		rmSync(rig.tuf, { recursive: true });
	});

	test("an own file that cannot be read is no missing one: the registry's map does not step in", () => {
		rig.trustRegistry([entry()]);
		rmSync(rig.trustFile, { force: true });
		mkdirSync(rig.trustFile);
		expect(check().code).toBe("LOAD_FILE_UNREADABLE");
		rmSync(rig.trustFile, { recursive: true });
	});

	test("revoked publisher: of what the key signed, only the manifests listed go on, towards the threshold that stands", () => {
		const bundle = rig.bundle({ mark: 6 });
		const revoked = (manifests: string[], key = rig.key) => [{ key: key.line, reason: "stolen", manifests }];
		const other = newKey();
		const code = () => rig.check([bundle.planned(SCOPE)]).code;
		const listed = [sha256("x"), sha256(bundle.manifest)];
		rig.trust([entry({ keys: [other.line], revoked: revoked([]) })]);
		expect(code()).toBe("LOAD_SIGNATURE_REVOKED_KEY");
		rig.trust([entry({ keys: [other.line], revoked: revoked([sha256("x")]) })]);
		expect(code()).toBe("LOAD_SIGNATURE_REVOKED_KEY");
		rig.trust([entry({ keys: [other.line], revoked: revoked(listed) })]);
		trusted();
		rig.trust([entry({ keys: [other.line, newKey().line], threshold: 2, revoked: revoked(listed) })]);
		expect(code()).toBe("LOAD_SIGNATURE_THRESHOLD");
	});

	test("a malformed revocation spoils the whole file", () => {
		const { line } = newKey();
		const one = { key: line, reason: "stolen", manifests: [sha256("")] };
		const bad: unknown[] = [
			[],
			{},
			[{ ...one, more: 1 }],
			[{ key: line, reason: "stolen" }],
			[{ ...one, reason: "" }],
			[{ ...one, reason: "x".repeat(501) }],
			[{ ...one, reason: "é" }],
			[{ ...one, manifests: {} }],
			[{ ...one, manifests: ["00"] }],
			[{ ...one, manifests: [sha256(""), sha256("")] }],
			[{ ...one, manifests: [1] }],
			[{ ...one, key: rig.key.line }],
			[one, one],
			[{ ...one, key: "kfn-ed25519" }],
		];
		for (const revoked of bad) {
			rig.trust([entry(), entry({ names: ["x"], revoked })]);
			// The key of `keys` too: it cannot count and not count.
			const code = JSON.stringify(revoked).slice(0, 120);
			expect(check(), code).toMatchObject({ code: "LOAD_PUBLISHERS_INVALID", exit: 3 });
		}
	});

	test("one bad entry spoils the whole file, also behind the one that matches", () => {
		const { keyid, raw } = newKey();
		const b64 = raw.toString("base64");
		const bad: Json[] = [
			entry({ names: ["x"], more: 1 }),
			entry({ names: [] }),
			entry({ names: ["flow-dissector"] }),
			entry({ names: ["a*b"] }),
			entry({ names: ["-*"] }),
			entry({ names: ["UP"] }),
			entry({ names: [1] }),
			entry({ names: ["x"], threshold: 0 }),
			entry({ names: ["x"], threshold: 2 }),
			entry({ names: ["x"], threshold: 1.5 }),
			entry({ names: ["x"], keys: [] }),
			entry({ names: ["x"], keys: [rig.key.line, rig.key.line] }),
			...[
				`kfn-ed25519 ${sha256("")} ${b64}`,
				`kfn-ed25519  ${keyid} ${b64}`,
				`kfn-ed25519 ${keyid} ${b64} `,
				`kfn-ed25519 ${keyid} ${b64}  twice`,
				`kfn-ed25519 ${keyid} ${b64} \u001b`,
				`kfn-ed25519 ${keyid} ${b64.slice(0, 43)}`,
				`kfn-ed25519 ${keyid.toUpperCase()} ${b64}`,
				`kfn-ed448 ${keyid} ${b64}`,
				"",
			].map((line) => entry({ names: ["x"], keys: [line] })),
		];
		for (const one of bad) {
			rig.trust([entry(), one]);
			expect(check(), JSON.stringify(one)).toMatchObject({ code: "LOAD_PUBLISHERS_INVALID", exit: 3 });
		}
		for (const text of [
			"",
			"[]",
			"{}",
			'{"schema":"kfn.publishers/1"}',
			'{"schema":"kfn.publishers/1","publishers":{}}',
		]) {
			writeFileSync(rig.trustFile, text);
			expect(check().code).toBe("LOAD_PUBLISHERS_INVALID");
		}
	});

	test("a file that only root may read", () => {
		rig.trust([entry()]);
		expect(check().body.error?.code ?? "ok").not.toContain("PUBLISHERS");
		if (process.getuid?.() !== 0) return chmodSync(rig.trustFile, 0o600);
		execFileSync("chmod", ["-R", "a+rX", rig.root]);
		chmodSync(rig.trustFile, 0o600);
		const before = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
		const loader = join(rig.root, "kfn-load");
		execFileSync("install", ["-m", "755", LOADER, loader]);
		expect(rig.check([rig.bundle({ mark: 6 }).planned(SCOPE)], { loader, before }).code).toBe(
			"LOAD_NO_PRIVILEGE",
		);
	});
});
