// Every command, run for real with --json: its document fits docs/formats/cli.schema.json, and the schema has no command
// that does not exist. Runs on a real kernel, because half of the commands need one.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { COMMANDS } from "#cli/commands/index.ts";
import { initialiseTestTrust } from "#registry/testing/trust.ts";
import { endChild, waitForLine } from "../harness/command.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { CLI } from "../sessions/world.ts";
import { expectShape, FORMATS, schema } from "./shapes.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

const SHARED = [
	"advisory",
	"boot-record",
	"ceremony",
	"change",
	"draft",
	"function-change",
	"found",
	"health-report",
	"hold-status",
	"image",
	"left-open",
	"lockdown",
	"notices",
	"offload-change",
	"offload-device",
	"open-advisory",
	"permit",
	"recall-status",
	"revocation",
	"trust",
	"trust-status",
	"bundle-pair",
	"still-open",
	"security-steps",
	"upgrade-failures",
	"upgrade-waits",
	"error",
];

/** Stands for the key id of the certificate that was enrolled. */
const ENROLLED = "<enrolled>";

const HARDWARE = ["--hardware", "pci:e9a1", "--device", "1001", "--driver", "exnic", "--firmware", "1.0"];
const CATALOGUE = ["--id", "ex100", "--issuer", "example", ...HARDWARE];

/** The commands in an order in which each has what it needs; `ID: ARGS`. */
function commandLines(world: HostWorld): string[][] {
	const data = join(world.folder, "registry");
	const signers = ["--root-key", "publisher.key.pub", "--targets-key", "publisher.key.pub"];
	return [
		["key:generate", "--out", "second.key"],
		["key:show", "second.key"],
		["registry:init", "--data", "third", ...signers, "--bins", "2"],
		["root:show", "third/staged/1.root.json"],
		["root:sign", "third/staged/1.root.json", "--key", "publisher.key"],
		["root:sign", "third/staged/1.targets.json", "--key", "publisher.key"],
		["registry:accept", "--data", "third"],
		["registry:publisher:add", "gro", "--data", "third", "--publisher", "publisher.key.pub"],
		["registry:publisher:add", "gro", "--data", "third", "--publisher", "second.key.pub"],
		[
			"registry:publisher:revoke",
			"gro",
			"--data",
			"third",
			"--publisher",
			"second.key.pub",
			"--reason",
			"a test",
		],
		["registry:witness", "--data", "third", "--quorum", "0"],
		[
			"registry:vendor:add",
			"pci:e9a1",
			"--data",
			"third",
			"--issuer",
			"example",
			"--vendor",
			"publisher.key.pub",
		],
		[
			"registry:vendor:add",
			"pci:e9a1",
			"--device",
			"1001",
			"--data",
			"third",
			"--issuer",
			"x",
			"--vendor",
			"second.key.pub",
		],
		["registry:vendor:list", "--data", "third"],
		["registry:vendor:remove", "pci:e9a1", "--device", "1001", "--data", "third"],
		["registry:publisher:list", "--data", "third"],
		["registry:publisher:remove", "gro", "--data", "third"],
		["root:sign", "third/staged/2.targets.json", "--key", "publisher.key"],
		["root:rotate", "--data", "third", "--online", "--key", "publisher.key"],
		["root:add-signer", "--data", "third", "--role", "root", "--key-file", "second.key.pub"],
		["root:remove-signer", "--data", "third", "--role", "root", "--key-file", "second.key.pub"],
		["root:show", "third/staged/3.root.json"],
		["tag", "packages/flow-dissector"],
		["build", "packages/flow-dissector", "--out", "again.kfn"],
		["inspect", "again.kfn"],
		["sign", "again.kfn", "--key", "publisher.key"],
		["kernel-key:generate", "--out", "kernel.key"],
		["sign", "again.kfn", "--kernel", "kernel.key"],
		["kernel-key:enroll", "kernel.key.der"],
		["kernel-key:status", "kernel.key.der"],
		["kernel-key:status"],
		["kernel-key:remove", ENROLLED],
		["inspect", "again.kfn"],
		["trust:add", "flow-*", "--key", "publisher.key.pub"],
		["trust:list"],
		["trust:root:pin", "1.root.json"],
		["trust:root:show"],
		["verify", "again.kfn", "--rebuild"],
		["publish", "flow-dissector-1.0.0.kfn"],
		["yank", "flow-dissector@1.0.1", "--reason", "a test"],
		["yank", "flow-dissector@1.0.1", "--undo"],
		[
			"permit:create",
			"flow-dissector",
			"--from",
			"1.0.1",
			"--to",
			"1.0.0",
			"--reason",
			"x",
			"-o",
			"leave.json",
		],
		["permit:sign", "leave.json", "--key", "publisher.key"],
		["permit:show", "leave.json"],
		["permit:publish", "leave.json"],
		// Before anything is said of anything: then it exits with 0 on every kernel.
		["audit"],
		["advisory:new", "osv.json", "-o", "advisory.json"],
		["advisory:sign", "advisory.json", "--key", "publisher.key"],
		["advisory:publish", "advisory.json"],
		["advisory:show", "flow-dissector"],
		["advisory:show", "advisory.json"],
		["advisory:withdraw", "advisory.json", "--reason", "x", "-o", "withdrawal.json"],
		["promote", "flow-dissector@1.0.1", "-o", "stable.json"],
		["channel:sign", "stable.json", "--key", "publisher.key"],
		["channel:show", "stable.json"],
		["channel:publish", "stable.json"],
		["promote", "flow-dissector@1.0.1", "--channel", "candidate", "--key", "publisher.key"],
		["channel:show", "flow-dissector"],
		["trust:vendor:add", "pci:e9a1", "--issuer", "example", "--key", "publisher.key.pub"],
		["trust:vendor:list"],
		["trust:vendor:remove", "pci:e9a1"],
		["catalogue:make", ...CATALOGUE, "--bundle", "flow-dissector-1.0.0.kfn", "-o", "catalogue.json"],
		["catalogue:sign", "catalogue.json", "--key", "publisher.key"],
		["catalogue:show", "catalogue.json"],
		["catalogue:verify", "catalogue.json"],
		["catalogue:publish", "catalogue.json"],
		["catalogue:fetch"],
		["catalogue:fetch", "pci:e9a1"],
		["log:verify"],
		["log:witness", "--name", "witness.example/w", "--key", "publisher.key", "--state", "witness"],
		["log:show", "--name", "flow-dissector"],
		["log:prove", "flow-dissector@1.0.0", "-o", "logged.tlog-proof"],
		["verify", "flow-dissector-1.0.0.kfn", "--proof", "logged.tlog-proof"],
		["mirror", "mirror"],
		["export", "export.tar"],
		["import", "export.tar", "--to", "imported"],
		["import", "publisher.key", "--to", "imported"],
		["recall:new", "flow-dissector", "--version", "1.0.0", "--reason", "x", "-o", "bad.json"],
		["recall:sign", "bad.json", "--key", "publisher.key"],
		["recall:show", "bad.json"],
		["recall:check"],
		["registry:token:create", "--data", data, "--label", "json"],
		["registry:token:list", "--data", data],
		["install", "flow-dissector@1.0.0", "--scope", world.scope, "--health-window", "0.1"],
		["status"],
		["doctor"],
		["list"],
		["history"],
		["explain", "flow-dissector"],
		["gc", "--keep", "0", "--dry-run"],
		["gc"],
		["verify"],
		["verify", "--running"],
		["preflight"],
		["dissect", "gre.pcap"],
		["dissect", "gre.pcap", "--packets"],
		["boot:enable"],
		["boot:status"],
		["boot:disable"],
		["offload:list", "--all"],
		["offload:enable", "lo", "tso"],
		["offload:status"],
		["offload:watch", "--once"],
		["offload:disable", "--all"],
		["lockdown:enable"],
		["lockdown:status"],
		["lockdown:disable"],
		["trust:recover"],
		["hold", "flow-dissector", "--reason", "a test"],
		["hold"],
		["upgrade"],
		["upgrade", "--security", "--dry-run"],
		["upgrade", "--security", "--parameters"],
		["auto:enable", "--mode", "security"],
		["auto:run"],
		["auto:enable", "--mode", "all", "--window", "Mon-Fri 02:00-04:00 UTC", "--phase", "1"],
		["auto:run"],
		["auto:run", "--now"],
		["auto:status"],
		["auto:disable"],
		["unhold", "flow-dissector"],
		["upgrade"],
		["upgrade", "flow-dissector"],
		["diff"],
		["diff", "0", "1", "--source", "--instructions"],
		["diff", "flow-dissector-1.0.0.kfn", "flow-dissector-1.0.1.kfn", "--instructions"],
		["rollback"],
		["apply", "state.json", "--dry-run"],
		["apply", "state.json"],
		["remove", "flow-dissector"],
		["remove", "flow-dissector"],
		["recall:publish", "bad.json"],
		["recall:withdraw", "bad.json", "--reason", "x", "-o", "good.json"],
		["recall:check"],
		["trust:remove", "flow-*"],
	];
}

test("every command prints the document of its schema", { timeout: 600_000 }, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("json");
	const functions = [{ bundle: "flow-dissector", version: "1.0.1", scope: world.scope }];
	writeFileSync(join(world.folder, "osv.json"), worked("advisory.md", "payload"));
	writeFileSync(join(world.folder, "state.json"), JSON.stringify({ schema: "kfn.state/1", functions }));
	// It is about the whole machine and refuses any other root, so that only test/vm/lockdown.test.ts enables it.
	// A device that segments is in test/offload only, which checks the shape of what tries it.
	// What a device may take over needs a vendor: test/kernel/offload.kernel.test.ts has one, and checks these.
	const seen = new Set<string>([
		...["registry:serve", "lockdown:enable"],
		...["offload:check", "offload:enable", "offload:probe"],
	]);
	let enrolled = "";
	for (const [id, ...args] of commandLines(world)) {
		const { stdout, code } = await world.kfn(
			...id!.split(":"),
			...args.map((arg) => (arg === ENROLLED ? enrolled : arg)),
			"--json",
		);
		const document = JSON.parse(stdout) as { id?: string; keyid?: string };
		if (id === "kernel-key:enroll") enrolled = document.keyid ?? "";
		if (code === 0) {
			expectShape(id!, document);
			seen.add(id!);
		} else expectShape("error", document);
		if (id === "registry:token:create") {
			const data = ["--data", join(world.folder, "registry")];
			const revoked = await world.kfn("registry", "token", "revoke", document.id!, ...data, "--json");
			expectShape("registry:token:revoke", JSON.parse(revoked.stdout));
			seen.add("registry:token:revoke");
		}
	}
	await expectServe(world);
	expect([...seen].sort()).toEqual(Object.keys(COMMANDS).sort());
});

/** A worked example of a page of docs/formats. */
function worked(page: string, name: string): string {
	const text = readFileSync(join(FORMATS, page), "utf8");
	return new RegExp(`\`\`\`json ${name}\\n(.*?)\`\`\``, "s").exec(text)![1]!;
}

async function expectServe(world: HostWorld): Promise<void> {
	await initialiseTestTrust(join(world.folder, "second-registry"));
	const args = ["registry", "serve", "--data", "second-registry", "--port", "0", "--json"];
	const child = spawn(CLI, args, { cwd: world.folder, env: world.env });
	let output = "";
	child.stdout.on("data", (chunk: Buffer) => {
		output += chunk.toString();
	});
	const closed = new Promise((done) => child.once("close", done));
	const line = await waitForLine(child, /"url"/);
	expectShape("registry:serve", JSON.parse(line));
	await endChild(child, "SIGTERM");
	await closed;
	expectShape("registry:serve", JSON.parse(output.slice(line.length)));
}

test("the schema knows the commands that exist, and no others", () => {
	expect(Object.keys(schema.$defs).sort()).toEqual([...Object.keys(COMMANDS), ...SHARED].sort());
});

test("the worked examples of docs/formats/cli.md fit the schema", () => {
	const text = readFileSync(join(FORMATS, "cli.md"), "utf8");
	const examples = [...text.matchAll(/```json (\S+)\n(.*?)```/gs)];
	expect(examples.length).toBeGreaterThan(1);
	for (const [, id, json] of examples) expectShape(id!, JSON.parse(json!));
	const folder = join(FORMATS, "examples/package");
	const tag = execFileSync(CLI, ["tag", folder, "--json"], { encoding: "utf8" });
	const example = examples.find(([, id]) => id === "tag")?.[2];
	expect(JSON.parse(example!)).toEqual(JSON.parse(tag));
});
