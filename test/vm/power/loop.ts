// Runs inside the VM of the power-cut test: first says what it found after the cut, then upgrades and rolls back until the power is
// cut again. Refuses to go on where what it found is not whole.
import { readdirSync, readFileSync } from "node:fs";
import { isTemporary } from "#host/durable.ts";
import { currentGeneration, generationNumbers, readPlan } from "#host/generations.ts";
import { openHost } from "#host/host.ts";
import { install } from "#host/install.ts";
import { withLock } from "#host/lock.ts";
import { recover } from "#host/recover.ts";
import { remove } from "#host/remove.ts";
import { rollback } from "#host/rollback.ts";
import { status } from "#host/status.ts";
import { storedDigests } from "#host/store.ts";
import { upgrade } from "#host/upgrade.ts";
import { verifyHost } from "#host/verify.ts";

const host = openHost({ root: "/", loader: "/usr/lib/kfn/kfn-load" });
const bundle = (version: string) => readFileSync(`/bundles/sample-${version}.kfn`);
const scope = "netns:root";

/** One line of JSON, marked, so that the test finds it among what the kernel prints. */
function tell(what: string, fields: object): void {
	process.stdout.write(`@@ ${what} ${JSON.stringify(fields)}\n`);
}

/** Tells each step as it begins, so that the test can cut inside of it. */
const onStep = ({ step }: { step: string }): void => tell(`step-${step}`, {});

/** What a recovery must not leave of an interrupted change. */
function leavings(needed: ReadonlySet<string>): string[] {
	const state = listOf(host.layout.state).filter((name) => isTemporary(name) || name === "journal.json");
	const stored = storedDigests(host).filter((sha256) => !needed.has(sha256));
	return [...state, ...stored, ...listOf(host.layout.tmp)];
}

/** A purge takes the folders, too. */
function listOf(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
}

async function found(): Promise<void> {
	const before = await status(host);
	const pins = (await host.loader.inspect([])).pins.filter(({ link }) => link?.alive);
	const verified = await verifyHost(host);
	await withLock(host, "recover", (lock) => recover(lock));
	const after = await status(host);
	tell("found", {
		generation: before.generation,
		interrupted: before.drift.some(({ kind }) => kind === "unfinished-change"),
		functions: before.functions.map(({ version, running, programs }) => ({
			version,
			running,
			programs: programs.length,
		})),
		pins: pins.length,
		health: after.health,
		drift: after.drift,
		generations: generationNumbers(host).length,
		plans: generationNumbers(host).map((n) => readPlan(host, n).functions.length),
		bundles: verified.bundles.length,
		leavings: leavings(new Set(verified.bundles.map(({ sha256 }) => sha256))),
	});
}

async function change(i: number): Promise<void> {
	await withLock(host, "loop", async (lock) => {
		const { functions } = readPlan(host, currentGeneration(host));
		const [active] = functions;
		if (active === undefined) await install(lock, { bundle: bundle("1.0.0"), scope, onStep });
		else if (active.bundle.version === "1.0.0") await upgrade(lock, { bundle: bundle("1.1.0"), onStep });
		else if (i % 3 === 0) await remove(lock, { name: "sample", purge: true, onStep });
		else await rollback(lock, { onStep });
	});
}

async function main(): Promise<void> {
	await found();
	for (let i = 0; ; i++) {
		await change(i);
		tell("changed", { i });
	}
}

void main();
