// Whom a foreign dissector belongs to: the process that holds its link, the pin, or nobody whom the kernel knows.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { compile, type Json, make, Rig, sourceOf } from "./fixture.ts";

let rig: Rig;
let scope: string;
let pin: string;

beforeAll(() => make("all"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	scope = rig.namespace("owner");
	const folder = join(rig.root, "sys/fs/bpf/other/deeper");
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(rig.root, "foreign.o"), compile(sourceOf({ mark: 9 })));
	pin = join(folder, "prog");
	execFileSync("bpftool", ["prog", "load", join(rig.root, "foreign.o"), pin, "type", "flow_dissector"]);
	const attach = ["bpftool", "prog", "attach", "pinned", pin, "flow_dissector"];
	execFileSync("ip", ["netns", "exec", scope.split("/").at(-1)!, ...attach]);
});
afterEach(() => rig.dispose());

function owner(): Json {
	const { body, code } = rig.run(["inspect", "--netns", scope.slice("netns:".length)]);
	expect(code).toBe("ok");
	expect(body.foreign).toMatchObject([{ scope, hook: "flow_dissector", name: "dissect" }]);
	return body.foreign[0].owner;
}

test("a pin is found; without it the kernel knows nobody, and that is what is said", () => {
	const found = owner();
	expect(found).toMatchObject({
		createdByUid: 0,
		linkId: null,
		pins: [pin.slice(rig.root.length)],
		complete: true,
	});
	expect(Math.abs(Number(found["loadedAt"]) - Date.now() / 1000)).toBeLessThan(10);
	rmSync(pin);
	expect(owner()).toMatchObject({ linkId: null, pins: [], holders: [], complete: true });
});

test("a process that holds a descriptor of it is named", async () => {
	// BPF_OBJ_GET on the pin, as any tool does that opens a pinned program.
	const script = `
import ctypes, os, struct, sys, platform
path = ctypes.create_string_buffer(sys.argv[1].encode())
attr = ctypes.create_string_buffer(struct.pack("QIIQQ", ctypes.addressof(path), 0, 0, 0, 0), 128)
number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
fd = ctypes.CDLL(None, use_errno=True).syscall(number, 7, attr, 128)
assert fd >= 0, ctypes.get_errno()
print("held", flush=True)
sys.stdin.read()
`;
	const child = spawn("python3", ["-c", script, pin], { stdio: ["pipe", "pipe", "inherit"] });
	await once(child.stdout, "data");
	rmSync(pin);
	expect(owner()).toMatchObject({ pins: [], holders: [{ pid: child.pid, name: "python3" }] });
	child.stdin.end();
	await once(child, "close");
	expect(owner()).toMatchObject({ holders: [] });
});

test("a link is named, also where its pin lies in a bpffs that nobody here sees", () => {
	const other = new Rig();
	try {
		other.mountBpffs();
		const red = other.namespace("elsewhere");
		expect(other.apply([other.bundle({ mark: 1 }).planned(red)]).code).toBe("ok");
		const linkId = other.run(["inspect"]).body.pins[0].link.id;
		const { foreign } = rig.run(["inspect", "--netns", red.slice("netns:".length)]).body;
		expect(foreign).toMatchObject([{ owner: { linkId, pins: [], holders: [] } }]);
	} finally {
		other.dispose();
	}
});
