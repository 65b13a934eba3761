// `kfn lockdown` on other kernels: audit lets in and lists, enforce denies with EPERM while kfn-load goes on loading, signatures that the kernel
// checks go through, disabling gives everything back. Four boots, of 5 to 10 s each when the machine is idle, and twice that with node in it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel, kernelPath } from "./boot.ts";
import { makeSigningKey, replaceBuildKey } from "./build-key.ts";
import { buildLockdownImages, type LockdownImages } from "./lockdown-image.ts";

const WITH_BPF = "lsm=lockdown,yama,bpf";
const WITHOUT_BPF = "lsm=lockdown,yama";
const CHECKS_SIGNATURES = "7";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/lockdown.md"), "utf8");
const EXAMPLE = JSON.parse(/```json status\n(.*?)```/s.exec(PAGE)![1]!);

/** A document with every leaf replaced by the name of its type. */
function shapeOf(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(shapeOf);
	if (typeof value !== "object" || value === null) return typeof value;
	return Object.entries(value).map(([name, item]) => [name, shapeOf(item)]);
}

let undo: Undo;
let images: LockdownImages;
/** That of CHECKS_SIGNATURES, with a builder's key of ours in it. */
let kernel: string | undefined;

beforeAll(async () => {
	const folder = mkdtempSync(join(tmpdir(), `kfn-vm-lockdown-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const have = haveKernel(CHECKS_SIGNATURES).have === "yes";
	if (have) kernel = join(folder, "vmlinux");
	const key = await (have
		? replaceBuildKey(kernelPath(CHECKS_SIGNATURES), kernel!, folder)
		: makeSigningKey(folder));
	images = await buildLockdownImages(folder, key);
});

afterAll(() => undo.run());

/** What a boot reported: the text of a report, or the JSON in it. */
class Reports {
	readonly #booted: Boot;

	constructor(booted: Boot) {
		this.#booted = booted;
		const seconds = (booted.milliseconds / 1000).toFixed(1);
		process.stdout.write(`  ${this.text("kernel")}: booted, tested and ended in ${seconds} s\n`);
	}

	text(name: string, exit = 0): string {
		const report = this.#booted.reports.get(name);
		expect({ name, exit: report?.exit, text: report?.text }).toEqual({
			name,
			exit,
			text: expect.any(String),
		});
		return report!.text.trim();
	}

	// biome-ignore lint/suspicious/noExplicitAny: the answers of loader and command line, whose shape is what the tests check
	json(name: string, exit = 0): any {
		return JSON.parse(this.text(name, exit));
	}
}

for (const series of ["6.1", "6.12", "7"]) {
	const have = haveKernel(series);
	const signatures = series === CHECKS_SIGNATURES;

	describe(`on ${series}`, () => {
		let reports: Reports;

		beforeAll(async () => {
			if (have.have !== "yes") return;
			const initrd = signatures ? images.withCommandLine : images.initrd;
			const booted = boot(series, initrd, 240_000, WITH_BPF, signatures ? kernel : undefined);
			reports = new Reports(await booted);
		});

		it("audit lets a foreign program in, and lists who loaded what", (context) => {
			skipUnless(context, have);
			expect(reports.json("status")).toMatchObject({
				possible: "yes",
				mode: "off",
				configured: "off",
				since: null,
			});
			expect(reports.json("audit")).toMatchObject({
				mode: "audit",
				executables: [{ path: "/bin/kfn-load", admitted: true, reason: null }],
				refusals: [],
			});
			expect(reports.text("noticed")).toBe("loaded");
			expect(shapeOf(reports.json("noticed-status"))).toEqual(shapeOf(EXAMPLE));
			expect(reports.json("noticed-status").refusals).toEqual([
				{
					...{ number: 1, at: expect.any(Number), pid: expect.any(Number), uid: 0 },
					...{ command: "foreign_load", executable: "foreign_load" },
					...{ type: "socket_filter", name: "noticed", denied: false },
				},
			]);
		});

		it("enforce denies it, and a copy of kfn-load, while kfn-load loads and swaps the flow dissector", (context) => {
			skipUnless(context, have);
			expect(reports.json("attach").functions).toMatchObject([{ step: "attach" }]);
			expect(reports.json("enforce")).toMatchObject({ mode: "enforce", counts: { refused: 1 } });
			expect(reports.text("denied")).toBe("EPERM");
			expect(reports.text("disguised")).toBe("EPERM");
			expect(reports.json("copy", 1).error).toMatchObject({
				code: "LOAD_NO_PRIVILEGE",
				details: { errno: "EPERM" },
			});
			expect(reports.json("inspect").pins).toMatchObject([{ link: { alive: true } }]);
			expect(reports.json("swap").functions).toMatchObject([{ step: "replace" }]);
			const { refusals } = reports.json("enforced-status");
			expect(refusals).toContainEqual(expect.objectContaining({ name: "denied", denied: true }));
			expect(refusals).toContainEqual(
				expect.objectContaining({ executable: "kfn-load", name: "disguised", denied: true }),
			);
			expect(refusals).toContainEqual(expect.objectContaining({ executable: "copy", denied: true }));
		});

		it("a signature counts where the kernel checks it by a keyring of its own", (context) => {
			skipUnless(context, have);
			const system = [0, 1, 2].map((keyring) => reports.text(`signed_${keyring}`));
			const counts = reports.json("enforced-status").counts;
			if (!signatures) {
				expect(system).toEqual(Array(3).fill("E2BIG"));
				return;
			}
			// The key is the builder's; what is let in and not signed by the keyring that it names is refused by the kernel itself.
			expect(system).toEqual(["loaded", "loaded", "ENOKEY"]);
			expect(reports.text("signed_others")).toBe("EKEYREJECTED");
			expect(counts.bySignature).toBe(4);
			// A true signature, by a key that the caller chose himself.
			expect(reports.text("signed_own_before")).toBe("loaded");
			expect(reports.text("signed_own")).toBe("EPERM");
			expect(reports.text("signed_3")).toBe("EPERM");
			expect(reports.json("signed").functions).toMatchObject([{ verified: "kernel" }]);
		});

		it("an upgraded kfn-load is another file: refused until lockdown is applied again", (context) => {
			skipUnless(context, have);
			expect(reports.json("upgraded", 1).error.code).toBe("LOAD_NO_PRIVILEGE");
			expect(reports.json("upgraded-status").executables).toMatchObject([{ admitted: false }]);
			expect(reports.json("refreshed")).toMatchObject({ mode: "enforce", executables: [{ admitted: true }] });
			expect(reports.json("refreshed-check").functions).toHaveLength(1);
		});

		it("an executable that root names is let in, as long as only root may write it, and root runs it", (context) => {
			skipUnless(context, have);
			expect(reports.text("allowed")).toBe("loaded");
			expect(reports.text("other_user")).toBe("EPERM");
			expect(reports.text("other_user_restored")).toBe("loaded");
			expect(reports.text("writable")).toBe("EPERM");
			expect(reports.json("writable-status").executables[1]).toMatchObject({
				path: "/bin/foreign_load",
				admitted: false,
				reason: "not a file that only root may write",
			});
			expect(reports.text("disallowed")).toBe("EPERM");
		});

		it("a boot brings it back, the kill switch does not, and off leaves nothing", (context) => {
			skipUnless(context, have);
			expect(reports.text("unpinned")).toBe("loaded");
			expect(reports.json("boot").lockdown).toEqual({ mode: "enforce", error: null });
			expect(reports.text("booted")).toBe("EPERM");
			expect(reports.json("boot-off")).toMatchObject({ off: "file", lockdown: { mode: "off", error: null } });
			expect(reports.text("switched_off")).toBe("loaded");
			expect(reports.json("again")).toMatchObject({ mode: "enforce", counts: { refused: 0 }, refusals: [] });
			expect(reports.json("off").mode).toBe("off");
			expect(reports.text("restored")).toBe("loaded");
			expect(reports.text("leftovers")).toBe("");
		});

		if (!signatures) return;
		// Node is only in this image.
		it("the command line does the same, and enforces only what was watched", (context) => {
			skipUnless(context, have);
			expect(reports.json("kfn-unwatched", 1).error.code).toBe("HOST_LOCKDOWN_NOT_AUDITED");
			const allowed = { path: "/bin/foreign_load", admitted: true, reason: null };
			expect(reports.json("kfn-enable")).toMatchObject({ mode: "audit", atBoot: false });
			expect(reports.json("kfn-enable").executables).toContainEqual(allowed);
			expect(reports.json("kfn-enforce")).toMatchObject({ mode: "enforce", configured: "enforce" });
			expect(reports.json("kfn-enforce").executables).toHaveLength(1);
			expect(reports.text("kfn_denied")).toBe("EPERM");
			expect(reports.text("kfn-status")).toMatch(
				/denied +socket_filter +kfn_denied +foreign_load \(pid \d+, uid 0\)/,
			);
			expect(reports.json("kfn-disable")).toMatchObject({ mode: "off", configured: "off" });
			expect(reports.json("kfn-policy")).toEqual({ schema: "kfn.lockdown/1", mode: "off", allow: [] });
		});
	});
}

describe("where the kernel does not ask BPF LSM programs", () => {
	const have = haveKernel("6.1");

	it("is refused where lsm= lacks bpf, and leaves nothing behind", async (context) => {
		skipUnless(context, have);
		const reports = new Reports(await boot("6.1", images.initrd, 240_000, WITHOUT_BPF));
		expect(reports.text("lsm")).not.toMatch(/bpf/);
		expect(reports.json("status")).toMatchObject({ possible: "no", mode: "off" });
		expect(reports.json("audit", 1).error).toMatchObject({
			code: "LOAD_LSM_INACTIVE",
			hint: expect.stringContaining("lsm="),
		});
		expect(reports.text("unguarded")).toBe("loaded");
		expect(reports.text("leftovers")).toBe("");
	});
});
