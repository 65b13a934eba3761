// What kfn-load answers without privilege: commands, the error table, the lock and plans. All of it is refused before the
// first bpf() call. Signatures and publishers have trust.test.ts.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseScope } from "../scope.ts";
import { mixedTexts, NO_SCOPES, SCOPES } from "../testing/scope-texts.ts";
import { FAULTS, type Json, json, LOADER, make, planOf, Rig, sha256 } from "./fixture.ts";

const SCOPE = "netns:/run/netns/kfn-load-none";
let rig: Rig;

beforeAll(() => {
	make("all", "faults");
	rig = new Rig();
});
afterAll(() => rig.dispose());

describe("commands", () => {
	test.each([
		[[]],
		[["unheard-of"]],
		[["check"]],
		[["check", "a", "b"]],
		[["inspect", "--netns"]],
		[["inspect", "blue"]],
		[["replay", "flow-dissector"]],
		[["observe", "-", "dev:a", "dev:b"]],
		[["scopes"]],
		[["version", "now"]],
		[["faults"]],
	])("%j is a usage error", (args) => {
		expect(rig.run(args)).toMatchObject({ code: "LOAD_USAGE", exit: 2, stderr: "" });
	});

	test("a relative root is refused, the default root is /", () => {
		const run = (...args: string[]) => JSON.parse(spawnSync(LOADER, args, { encoding: "utf8" }).stdout);
		expect(run("--root", "here", "version").error.code).toBe("LOAD_USAGE");
		expect(run("version")).toEqual({ ok: true, version: "0.1.0" });
	});

	test("its version is the package's", () => {
		const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
		expect(rig.run(["version"]).body.version).toBe(version);
	});

	test("the table of errors has every code once, an exit code of the style guide, and a sentence", () => {
		const { errors } = rig.run(["errors"]).body as {
			errors: { code: string; exit: number; means: string }[];
		};
		expect(new Set(errors.map((error) => error.code)).size).toBe(errors.length);
		for (const error of errors) {
			expect(error.code).toMatch(/^LOAD_[A-Z_]+$/);
			expect([1, 2, 3, 70]).toContain(error.exit);
			expect(error.means.length).toBeGreaterThan(20);
		}
	});

	test("fault points are in the test build only", () => {
		expect(rig.run(["faults"], { loader: FAULTS }).body.faults).toContain("linked");
		expect(readFileSync(LOADER).includes("KFN_LOAD_FAULT")).toBe(false);
	});

	test("an answer that cannot be written is not reported as done", () => {
		const full = openSync("/dev/full", "w");
		const done = spawnSync(LOADER, ["version"], { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
		closeSync(full);
		expect(done.status).toBe(70);
		expect(done.stderr).toContain("cannot write the answer");
	});
});

describe("scopes", () => {
	/** Says nothing of what is there: nothing of it is a usage error. */
	const isScope = (text: string) => rig.run(["scopes", text]).code !== "LOAD_USAGE";

	test.each(SCOPES)("%s is one", (text) => expect(isScope(text)).toBe(true));
	test.each(NO_SCOPES)("%j is none", (text) => expect(isScope(text)).toBe(false));

	test("the host and the loader agree on texts of any mixture", () => {
		const texts = mixedTexts(400, 11);
		const agreed = texts.map((text) => {
			try {
				return parseScope(text) === text;
			} catch {
				return false;
			}
		});
		expect(texts.map((text, i) => [text, isScope(text) === agreed[i]])).toEqual(
			texts.map((text) => [text, true]),
		);
		expect(agreed.filter(Boolean).length).toBeGreaterThan(20);
	});
});

describe("lock", () => {
	const file = () => join(rig.root, "var/lib/kfn/lock");
	const lock = (fd: number | "ignore") => {
		const done = spawnSync(LOADER, ["lock"], { stdio: ["ignore", "pipe", "pipe", fd], encoding: "utf8" });
		return { exit: done.status, body: JSON.parse(done.stdout) };
	};

	test("belongs to the caller's open file: held by it after the loader ended, refused to another", () => {
		const [first, second] = [openSync(file(), "w"), openSync(file(), "w")];
		expect(lock(first)).toEqual({ exit: 0, body: { ok: true } });
		expect(lock(first).exit).toBe(0);
		expect(lock(second)).toMatchObject({ exit: 1, body: { error: { code: "LOAD_LOCK_HELD" } } });
		closeSync(first);
		expect(lock(second).exit).toBe(0);
		closeSync(second);
	});

	test("ends with a holder that is killed", async () => {
		const fd = openSync(file(), "w");
		const holder = spawn("sh", ["-c", `${LOADER} lock && exec cat`], {
			stdio: ["pipe", "pipe", "inherit", fd],
		});
		closeSync(fd);
		await once(holder.stdout!, "data");
		const other = openSync(file(), "w");
		expect(lock(other).exit).toBe(1);
		const ended = once(holder, "exit");
		holder.kill("SIGKILL");
		await ended;
		expect(lock(other).exit).toBe(0);
		closeSync(other);
	});

	test("without descriptor 3", () => {
		const done = spawnSync("sh", ["-c", `exec ${LOADER} lock 3>&-`], { encoding: "utf8" });
		expect(done.status).toBe(2);
		expect(JSON.parse(done.stdout).error.code).toBe("LOAD_USAGE");
	});
});

describe("plans", () => {
	const check = (plan: unknown) =>
		rig.run(["check", "-"], { input: Buffer.isBuffer(plan) ? plan : json(plan) });
	const good = () => rig.bundle().planned(SCOPE);
	const bent = (over: Json) => planOf([{ ...good(), ...over }]);

	test("an empty plan is fulfilled", () => {
		expect(check(planOf([])).body).toEqual({ ok: true, functions: [], left: [] });
	});

	test("a plan in a file, a plan that is not there, a folder, a plan without end", () => {
		const file = join(rig.root, "plan.json");
		writeFileSync(file, json(planOf([])));
		expect(rig.run(["check", file]).code).toBe("ok");
		expect(rig.run(["check", `${file}.other`]).code).toBe("LOAD_FILE_UNREADABLE");
		expect(rig.run(["check", rig.root]).code).toBe("LOAD_FILE_UNREADABLE");
		expect(rig.run(["check", "/dev/zero"]).code).toBe("LOAD_FILE_UNREADABLE");
		expect(check(Buffer.alloc(4 * 1024 * 1024 + 1, " ")).code).toBe("LOAD_FILE_TOO_LARGE");
	});

	test.each<[string, (plan: Json) => unknown]>([
		["an unknown field", (plan) => ({ ...plan, more: 1 })],
		["a missing field", ({ reason: _, ...plan }) => plan],
		["another schema", (plan) => ({ ...plan, schema: "kfn.plan/2" })],
		["a generation that is no integer", (plan) => ({ ...plan, generation: 1.5 })],
		["a negative generation", (plan) => ({ ...plan, generation: -1 })],
		["functions that are no list", (plan) => ({ ...plan, functions: {} })],
		["a duplicate key", (plan) => Buffer.from(JSON.stringify(plan).replace("{", '{"schema":"kfn.plan/1",'))],
		["a second document", (plan) => Buffer.concat([json(plan), json(plan)])],
		["a byte order mark", (plan) => Buffer.concat([Buffer.from("efbbbf", "hex"), json(plan)])],
		["broken UTF-8", (plan) => Buffer.from(JSON.stringify({ ...plan, reason: "\u00e9" }), "latin1")],
		["a NUL", (plan) => ({ ...plan, reason: "\0" })],
		["a list", (plan) => [plan]],
		["nothing", () => Buffer.alloc(0)],
		["nesting without end", () => Buffer.from("[".repeat(100000))],
		[
			"a number too large",
			(plan) => Buffer.from(JSON.stringify(plan).replace('"generation":1', '"generation":1e999')),
		],
	])("with %s is invalid", (what, change) => {
		const answer = check(change(planOf([good()])));
		expect(answer, what).toMatchObject({ code: "LOAD_PLAN_INVALID", exit: 1, stderr: "" });
	});

	test.each<[string, Json]>([
		["a scope of another kind", { scope: "link:eth0" }],
		["a relative path", { scope: "netns:blue" }],
		["a scope with a control character", { scope: "netns:/run/netns/\u001b" }],
		["a scope too long for a pin", { scope: `netns:/${".".repeat(90)}` }],
		["a function that is no name", { function: "../up" }],
		["an ABI of zero", { abi: 0 }],
		["an ABI as text", { abi: "1" }],
		["an upper-case digest", { tag: `kfn1:${"A".repeat(64)}` }],
		["a short digest", { configDigest: "00" }],
		["a digest of another config", { configDigest: sha256("{ }") }],
		["a config that is no object", { config: [] }],
		[
			"a bundle path for a digest",
			{ bundle: { name: "a", version: "1", sha256: "../../x", manifestSha256: "" } },
		],
		["an unknown field in a function", { more: true }],
	])("with %s is invalid", (_, over) => {
		expect(check(bent(over))).toMatchObject({ code: "LOAD_PLAN_INVALID", exit: 1 });
	});

	test("repeated and unsorted functions are invalid, and a config that is not its digest's", () => {
		const [a, b] = [good(), { ...good(), scope: `${SCOPE}2` }];
		expect(check({ ...planOf([]), functions: [a, a] }).code).toBe("LOAD_PLAN_INVALID");
		expect(check({ ...planOf([]), functions: [b, a] }).code).toBe("LOAD_PLAN_INVALID");
		const config = { config: { ports: [1] }, configDigest: sha256('{"ports":[2]}') };
		expect(check(bent(config)).code).toBe("LOAD_PLAN_INVALID");
	});

	test("control characters of a plan do not reach the terminal", () => {
		const answer = check(bent({ scope: "netns:\u001b[31m\u009b" }));
		expect(answer.body.error.message).toContain("?[31m??");
		expect(answer.lines[0]).not.toMatch(/u001b|\u009b/);
	});

	test("a bundle that is not in the store", () => {
		const planned = good();
		planned["bundle"] = { ...(planned["bundle"] as object), sha256: sha256("nothing") };
		expect(check(planOf([planned]))).toMatchObject({ code: "LOAD_FILE_UNREADABLE", exit: 1 });
	});
});
