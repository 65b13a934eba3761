// The compiler's jail: what can be seen in it, by root and by an ordinary user, and what happens where there can be none.
// About five seconds.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Order, Outcome } from "./testing/compile-child.ts";

const CHILD = join(import.meta.dirname, "testing/compile-child.ts");
const GOOD = "int f(void) { return 0; }\n";
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

/** Runs the order in a process of its own, under `before`. */
function perform(order: Partial<Order>, before: readonly string[] = []): Outcome {
	const full: Order = { demand: "jail", text: GOOD, ...order };
	const command = [...before, process.execPath, CHILD, JSON.stringify(full)];
	return JSON.parse(
		execFileSync(command[0]!, command.slice(1), { encoding: "utf8", timeout: 60_000 }),
	) as Outcome;
}

/** Where user namespaces are forbidden, as unshare(1) finds without our code, an ordinary user has no jail. */
function refusesUserNamespaces(): string | undefined {
	const nobody = isRoot ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];
	const command = [...nobody, "unshare", "--user", "--map-root-user", "--mount", "true"];
	try {
		execFileSync(command[0]!, command.slice(1), { stdio: "pipe" });
		return undefined;
	} catch (error) {
		return String((error as { stderr?: Buffer }).stderr);
	}
}

const refused = refusesUserNamespaces();
const users = [
	{ who: "root", order: {}, missing: isRoot ? undefined : "this is not root" },
	{ who: "an ordinary user", order: isRoot ? { uid: NOBODY } : {}, missing: refused },
];

describe.each(users)("for $who", ({ order, missing }) => {
	test("a source compiles in it", (context) => {
		if (missing !== undefined) context.skip(missing);
		const outcome = perform(order);
		expect(outcome).toEqual({ objectBytes: expect.any(Number) });
		expect(outcome.objectBytes).toBeGreaterThan(500);
	});

	test("it holds the program, its libraries, setpriv and the sources, and nothing else", (context) => {
		if (missing !== undefined) context.skip(missing);
		const { stdout } = perform({ ...order, program: ["find", "/", "!", "-type", "d"] });
		const files = stdout!.trim().split("\n");
		const others = files.filter((file) => !/\/(lib[\w+-]+|ld-linux[\w-]*)\.so(\.[\d.]+)?$/.test(file));
		expect(others.map((file) => file.replace(/^\/bin/, "/usr/bin")).sort()).toEqual([
			"/src/x.bpf.c",
			"/usr/bin/find",
			"/usr/bin/setpriv",
		]);
	});

	test("nothing in it can be written, and no power is left", (context) => {
		if (missing !== undefined) context.skip(missing);
		const touched = perform({ ...order, program: ["touch", "/new", "/src/new", "/src/x.bpf.c"] });
		expect(touched.stdout?.match(/Read-only file system|Permission denied/g)).toHaveLength(3);
		const { stdout } = perform({ ...order, program: ["setpriv", "--dump"] });
		expect(stdout).toContain("no_new_privs: 1");
		expect(stdout).toContain("Capability bounding set: [none]");
		// The way out of a chroot is another chroot.
		const out = perform({ ...order, program: ["chroot", "/src", "/x"] });
		expect(out.reason).toContain("cannot change root directory to '/src': Operation not permitted");
	});

	test("it has no network", (context) => {
		if (missing !== undefined) context.skip(missing);
		const links = perform({ ...order, program: ["ip", "-brief", "link"] }).stdout;
		expect(
			links
				?.trim()
				.split("\n")
				.map((line) => line.split(/\s+/).slice(0, 2)),
		).toEqual([["lo", "DOWN"]]);
	});
});

describe("where no namespace can be made", () => {
	// The limit is that of a user namespace of the test's own; the machine's is not touched.
	const nowhere = [
		...["unshare", "--user", "--map-root-user", "sh", "-c"],
		...['echo 0 >/proc/sys/user/max_mnt_namespaces; exec "$@"', "sh"],
	];

	test("a stranger's source is not compiled, and the error says what is missing", (context) => {
		if (!isRoot && refused !== undefined) context.skip(refused);
		expect(perform({}, nowhere)).toEqual({
			code: "CLI_JAIL_UNAVAILABLE",
			reason: expect.stringMatching(/^the compiler cannot be locked in: unshare: .*No space left/),
		});
	});

	test("one's own is, under the rules alone, and the reason is told", (context) => {
		if (!isRoot && refused !== undefined) context.skip(refused);
		const outcome = perform({ demand: "rules" }, nowhere);
		expect(outcome.unjailed).toContain("unshare");
		expect(outcome.objectBytes).toBeGreaterThan(500);
	});

	test("the rules still refuse what they refuse", (context) => {
		if (!isRoot && refused !== undefined) context.skip(refused);
		const text = '__asm__(".incbin \\"/etc/hostname\\"");\n';
		expect(perform({ demand: "rules", text }, nowhere)).toMatchObject({ code: "CLI_SOURCE_FORBIDDEN" });
	});
});
