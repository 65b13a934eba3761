// kfn mirror, export and import as ops, over real HTTP and real files, for a host that pinned the registry's root.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { testBundle } from "#registry/testing/bundles.ts";
import { TestServer } from "#registry/testing/server.ts";
import { run } from "#test/harness/command.ts";
import { fromFiles, type LyingMirror, openLyingMirror } from "#test/harness/lying-mirror.ts";
import { startStaticServer } from "#test/harness/static-server.ts";
import { TreeRegistry } from "#test/harness/tree-registry.ts";
import { pin, writePolicy } from "#test/harness/trust-world.ts";
import type { Context } from "../context.ts";
import { exportTree } from "../ops/export.ts";
import { importTree } from "../ops/import.ts";
import { mirror } from "../ops/mirror.ts";
import { FolderTree } from "./folder-tree.ts";
import { codeOf, contextOf } from "./testing/copying.ts";
import { CHECKPOINT_PATH, NAMES_PATH, TIMESTAMP_PATH } from "./tree-path.ts";

const DAY_MS = 86_400_000;

let made: TreeRegistry;
let origin: LyingMirror;
let folder: string;

beforeEach(async () => {
	folder = temporary();
	await startOrigin(new Date());
});

async function startOrigin(now: Date): Promise<void> {
	made = await TreeRegistry.make(now);
	await made.publish("alpha", "1.0.0");
	origin = await openLyingMirror(fromFiles(made.files));
	const served = origin;
	onTestFinished(() => served[Symbol.asyncDispose]());
}

function temporary(): string {
	const path = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kfn-mirror-"));
	onTestFinished(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/** A host's context; `name` is its root's, so that two hosts have nothing in common. */
function host(name: string, options: { pinned?: boolean } = {}): Context {
	const root = join(folder, name);
	if (options.pinned !== false) pin(root, made.files.get("v1/metadata/1.root.json")!);
	return contextOf(root);
}

const at = (name: string) => join(folder, name);

const doMirror = (context: Context, out = at("out"), changes: { since?: string; registry?: string } = {}) =>
	mirror(context, {
		folder: out,
		since: changes.since,
		prune: false,
		registry: changes.registry ?? origin.url,
	});

const doExport = (context: Context, file: string, changes: { since?: string; registry?: string } = {}) =>
	exportTree(context, { file: at(file), since: changes.since, registry: changes.registry ?? origin.url });

const doImport = (context: Context, file: string, to?: string) =>
	importTree(context, { file: at(file), to, prune: false });

/** All files below a folder with their bytes, except the lock's. */
async function stateOf(path: string): Promise<string> {
	const { stdout } = await run("sh", [
		"-c",
		'cd "$0" 2>/dev/null && find . -type f ! -name "*lock" ! -path "*/tmp/*" -exec sha256sum {} + | sort -k2; true',
		path,
	]);
	return stdout;
}

describe("mirrors", () => {
	test("a mirror behind a stock file server, and as file://, is as good as the origin", async () => {
		await doMirror(host("a"));
		await using server = await startStaticServer(at("out"));
		for (const [name, registry] of [
			["http", server.url],
			["file", `file://${at("out")}`],
		] as const) {
			const { json } = await doMirror(host(name), at(`second-${name}`), { registry });
			expect(json).toMatchObject({ bundles: 1, registry, log: { size: 1 } });
			expect(await stateOf(at(`second-${name}`))).toBe(await stateOf(at("out")));
		}
		// What has a query string is the same one page.
		const names = await (await fetch(`${server.url}/${NAMES_PATH}?after=alpha&limit=1`)).json();
		expect(names).toEqual({ schema: "kfn.names/1", names: ["alpha"], next: null });
	});

	test("without a pinned root nothing is asked of anybody", async () => {
		expect(await codeOf(doMirror(host("a", { pinned: false })))).toBe("HOST_TRUST_NO_ROOT");
		expect(origin.asked).toEqual([]);
	});

	test("--since a path that holds no mirror", async () => {
		expect(await codeOf(doMirror(host("a"), at("out"), { since: folder }))).toBe("CLI_FILE_UNREADABLE");
		writeFileSync(at("text"), "no export");
		expect(await codeOf(doMirror(host("a"), at("out"), { since: at("text") }))).toBe("CLI_EXPORT_MALFORMED");
	});

	test("--prune removes what is past, and says how much", async () => {
		const context = host("a");
		await doMirror(context);
		await made.publish("alpha", "1.1.0");
		await doMirror(context);
		await made.publish("alpha", "1.2.0");
		const input = { folder: at("out"), since: undefined, prune: true, registry: origin.url };
		const { json } = (await mirror(context, input)) as { json: { pruned: number } };
		expect(json.pruned).toBeGreaterThan(3);
		await doMirror(host("b"), at("again"), { registry: `file://${at("out")}` });
	});

	describe("attacks", () => {
		const refused = async (context: Context, code: string) => {
			const before = await stateOf(at("out"));
			expect(await codeOf(doMirror(context))).toBe(code);
			const after = await stateOf(at("out"));
			for (const head of [TIMESTAMP_PATH, CHECKPOINT_PATH, NAMES_PATH]) {
				const line = (text: string) => text.split("\n").find((candidate) => candidate.endsWith(`./${head}`));
				expect(line(after)).toBe(line(before));
			}
		};

		test("an old timestamp, after a newer one was seen", async () => {
			const old = made.files.get(TIMESTAMP_PATH)!;
			await made.publish("alpha", "1.1.0");
			const context = host("a");
			await doMirror(context);
			origin.lie(TIMESTAMP_PATH, old);
			await refused(context, "TRUST_ROLLBACK");
			// A host that has not seen the newer one is told by the folder.
			await refused(host("b"), "TRUST_ROLLBACK");
		});

		test("mixed snapshots: the timestamp of one state, the snapshot of another", async () => {
			const old = made.files.get(made.pathOfRole("snapshot"))!;
			const context = host("a");
			await doMirror(context);
			await made.publish("alpha", "1.1.0");
			origin.lie(made.pathOfRole("snapshot"), old);
			await refused(context, "TRUST_MISMATCH");
		});

		test("a log that was cut or rewritten since this host, or the folder, last saw it", async () => {
			await made.publish("alpha", "1.1.0");
			const context = host("a");
			await doMirror(context);
			await made.forgetLog();
			await made.publish("alpha", "2.0.0");
			await refused(context, "LOG_TRUNCATED");
			await refused(host("b"), "LOG_TRUNCATED");
			for (const version of ["2.1.0", "2.2.0"]) await made.publish("alpha", version);
			await refused(context, "LOG_FORKED");
			await refused(host("b"), "LOG_FORKED");
			const inside = host("inside");
			await doMirror(inside, at("inside-saw"), { registry: `file://${at("out")}` });
			await doExport(host("c"), "rewritten.tar");
			expect(await codeOf(doImport(inside, "rewritten.tar"))).toBe("LOG_FORKED");
		});

		test("a bin left out", async () => {
			origin.lie(made.pathOfRole("bin-1"), "missing");
			await refused(host("a"), "CLI_MIRROR_INCOMPLETE");
		});

		test("a changed archive", async () => {
			origin.lie(made.pathOf("alpha/alpha-1.0.0.kfn"), Buffer.from("alpha 6.6.6"));
			await refused(host("a"), "TRUST_MISMATCH");
		});

		test("an unlisted file is ignored", async () => {
			const evil = `v1/targets/alpha/${"e".repeat(64)}.alpha-9.0.0.kfn`;
			made.files.set(evil, Buffer.from("evil"));
			await doMirror(host("a"));
			expect(origin.asked).not.toContain(evil);
			expect(new FolderTree(at("out")).list()).not.toContain(evil);
		});

		test("endless data, and a connection that breaks", async () => {
			const path = made.pathOf("alpha/alpha-1.0.0.kfn");
			origin.lie(path, "endless");
			await refused(host("a"), "TRUST_TOO_LARGE");
			expect(origin.sent.bytes).toBeLessThan(64 * 1024 * 1024);
			origin.lie(path, { torn: made.files.get(path)! });
			await refused(host("a"), "CLI_DOWNLOAD_INTERRUPTED");
		});
	});
});

test("a private registry is mirrored with a token for all names, and with no less", async () => {
	await using server = await TestServer.start({ private: true });
	const publisher = await server.token();
	for (const name of ["acme-gro", "zeta"])
		expect((await server.publish(await testBundle({ name }), publisher)).status).toBe(201);
	const withToken = (token: string | undefined) => {
		pin(at("private"), server.trust!.rootBytes);
		const context = contextOf(at("private"));
		return { ...context, env: { ...context.env, token } };
	};
	const visible = () => existsSync(join(at("out"), TIMESTAMP_PATH));
	const { url: registry } = server;
	for (const [token, code] of [
		[undefined, "REGISTRY_TOKEN_MISSING"],
		[await server.token({ verbs: ["publish", "yank"] }), "REGISTRY_TOKEN_SCOPE"],
		[await server.token({ names: "acme-*", verbs: ["read"] }), "REGISTRY_TOKEN_SCOPE"],
	] as const)
		expect([await codeOf(doMirror(withToken(token), at("out"), { registry })), visible()]).toEqual([
			code,
			false,
		]);
	const reader = await server.token({ verbs: ["read"] });
	const { json, text } = await doMirror(withToken(reader), at("out"), { registry });
	expect(json).toMatchObject({ bundles: 2, registry });
	// The copy is as public as whoever serves it makes it: it may say everything but the token.
	const { stdout } = await run("grep", ["-rlF", reader, folder], { allowFailure: true });
	expect([stdout, JSON.stringify(json).includes(reader), text.includes(reader)]).toEqual(["", false, false]);
	await doMirror(withToken(undefined), at("again"), { registry: `file://${at("out")}` });
	expect(await stateOf(at("again"))).toBe(await stateOf(at("out")));
});

describe("exports", () => {
	test("the same state is the same file; a mirror exports to it, too", async () => {
		await doExport(host("a"), "1.tar");
		await doMirror(host("b"));
		await doExport(host("b"), "2.tar", { registry: `file://${at("out")}` });
		expect(readFileSync(at("1.tar")).equals(readFileSync(at("2.tar")))).toBe(true);
		const asked = origin.asked.length;
		expect(await codeOf(doExport(host("a"), "1.tar"))).toBe("CLI_FILE_EXISTS");
		expect(origin.asked.length).toBe(asked);
		expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
	});

	test("out, across, in: the import is the mirror that the network would have made", async () => {
		await doExport(host("a"), "1.tar");
		await doMirror(host("c"), at("direct"));
		const inside = host("inside");
		const { json, text } = await doImport(inside, "1.tar");
		const to = join(inside.root, "var/lib/kfn/registry");
		expect(json).toMatchObject({ folder: to, url: `file://${to}`, bundles: 1 });
		expect(text.split("\n")[0]).toBe(`file://${to}`);
		expect(await stateOf(to)).toBe(await stateOf(at("direct")));
	});

	test("--since: the difference is small, and is imported onto what it was made from", async () => {
		await doExport(host("a"), "1.tar");
		await made.publish("alpha", "1.1.0", Buffer.alloc(100_000, "x"));
		await made.publish("alpha", "1.2.0");
		await doExport(host("a"), "2.tar", { since: at("1.tar") });
		await made.publish("beta", "1.0.0");
		await doExport(host("a"), "3.tar", { since: at("1.tar") });
		const inside = host("inside");
		await doImport(inside, "1.tar");
		await doMirror(host("m"), at("difference"), { since: join(inside.root, "var/lib/kfn/registry") });
		await doImport(inside, "2.tar");
		await doImport(inside, "3.tar");
		await doMirror(host("c"), at("direct"));
		const direct = new FolderTree(at("direct")).list();
		const imported = new FolderTree(join(inside.root, "var/lib/kfn/registry")).list();
		expect(imported).toEqual(expect.arrayContaining(direct));
		await doExport(host("a"), "4.tar", { since: join(inside.root, "var/lib/kfn/registry") });
		expect(readFileSync(at("4.tar")).byteLength).toBeLessThan(20_000);
	});

	test("a difference without its base is refused, says what to do, and changes nothing", async () => {
		await doExport(host("a"), "1.tar");
		await made.publish("beta", "1.0.0");
		await doExport(host("a"), "2.tar", { since: at("1.tar") });
		const inside = host("inside");
		const before = await stateOf(inside.root);
		const error = await doImport(inside, "2.tar").catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: "CLI_IMPORT_BASE_MISSING", exit: 1 });
		expect((error as { hint: string }).hint).toContain("--since");
		const registry = new FolderTree(join(inside.root, "var/lib/kfn/registry")).list();
		expect(registry).not.toContain(TIMESTAMP_PATH);
		expect((await stateOf(inside.root)).replace(/.*var\/lib\/kfn\/registry.*\n/g, "")).toBe(before);
	});

	test("an older export than this host has seen is refused and changes nothing", async () => {
		await doExport(host("a"), "1.tar");
		await made.publish("alpha", "1.1.0");
		await doExport(host("a"), "2.tar");
		const inside = host("inside");
		await doImport(inside, "2.tar");
		const before = await stateOf(inside.root);
		expect(await codeOf(doImport(inside, "1.tar"))).toBe("TRUST_ROLLBACK");
		expect(await codeOf(doImport(inside, "1.tar", at("elsewhere")))).toBe("TRUST_ROLLBACK");
		expect(await stateOf(inside.root)).toBe(before);
		expect(await stateOf(at("elsewhere"))).toBe("");
		// A host that has seen nothing yet takes the folder's word.
		cpSync(join(inside.root, "var/lib/kfn/registry"), at("registry"), { recursive: true });
		expect(await codeOf(doImport(host("other"), "1.tar", at("registry")))).toBe("TRUST_ROLLBACK");
	});

	test("each file of an export changed in one byte: refused, and no state of it is seen", async () => {
		await doExport(host("a"), "1.tar");
		const whole = readFileSync(at("1.tar"));
		const headers: number[] = [];
		for (let offset = 0; offset + 1024 < whole.length; ) {
			const size = Number.parseInt(whole.toString("latin1", offset + 124, offset + 135), 8);
			headers.push(offset);
			offset += 512 + Math.ceil(size / 512) * 512;
		}
		expect(headers.length).toBeGreaterThan(12);
		for (const [i, offset] of headers.entries()) {
			const changed = Buffer.from(whole);
			changed[offset + 512]! ^= 1;
			writeFileSync(at("changed.tar"), changed);
			const inside = host(`inside-${i}`);
			const name = whole.toString("latin1", offset, whole.indexOf(0, offset));
			const code = await codeOf(doImport(inside, "changed.tar"));
			const list = new FolderTree(join(inside.root, "var/lib/kfn/registry")).list();
			// Not looked at: the root is this host's own, and names.json is made anew from the verified bins.
			if (name === NAMES_PATH || name === "v1/metadata/1.root.json") {
				expect(code, name).toBe("no error");
				continue;
			}
			expect(code, name).toMatch(/^(TRUST|LOG)_/);
			expect(list, name).not.toContain(TIMESTAMP_PATH);
		}
	});

	test("an export that ends before its timestamp", async () => {
		await doExport(host("a"), "1.tar");
		const whole = readFileSync(at("1.tar"));
		const last = whole.lastIndexOf(TIMESTAMP_PATH);
		writeFileSync(at("cut.tar"), Buffer.concat([whole.subarray(0, last), Buffer.alloc(1024)]));
		expect(await codeOf(doImport(host("inside"), "cut.tar"))).toBe("CLI_EXPORT_MALFORMED");
	});

	test("freeze: an export that has expired is taken within what policy allows, and no further", async () => {
		await startOrigin(new Date(Date.now() - 5 * DAY_MS));
		const outside = host("outside");
		writePolicy(outside.root, 30);
		await doExport(outside, "1.tar");
		const inside = host("inside");
		expect(await codeOf(doImport(inside, "1.tar"))).toBe("TRUST_EXPIRED");
		writePolicy(inside.root, 3);
		expect(await codeOf(doImport(inside, "1.tar"))).toBe("TRUST_EXPIRED");
		writePolicy(inside.root, 5);
		expect(await codeOf(doImport(inside, "1.tar"))).toBe("no error");
	});

	test("nothing is fetched from anywhere", async () => {
		await doExport(host("a"), "1.tar");
		const asked = origin.asked.length;
		await doImport(host("inside"), "1.tar");
		expect(origin.asked.length).toBe(asked);
	});
});
