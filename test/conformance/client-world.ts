// One client of the conformance suite's kind for a test: the real executable, its two folders, and a real HTTP server that
// hands out a repository. Refuses to look into the client otherwise than the suite does: exit code, files, requests.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "#test/harness/cleanup.ts";
import { run } from "#test/harness/command.ts";
import { fromFiles, type LyingMirror, openLyingMirror, type Upstream } from "#test/harness/lying-mirror.ts";

const CLIENT = join(import.meta.dirname, "client");

export interface ClientRun {
	readonly exit: number | null;
	/** `TRUST_…` where the client named one, or all it said. */
	readonly says: string;
}

export interface ClientWorld extends AsyncDisposable {
	readonly mirror: LyingMirror;
	readonly metadataDir: string;
	readonly targetDir: string;
	init(root: Uint8Array): Promise<ClientRun>;
	refresh(): Promise<ClientRun>;
	download(...names: string[]): Promise<ClientRun>;
	/** Versions in METADATA_DIR by file name without `.json`. */
	trusted(): Record<string, number>;
	/** What lies in TARGET_DIR; as text, unless told otherwise. */
	artifacts(encoding?: BufferEncoding): string[];
	/** Paths asked for since this was called last, below the base. */
	asked(): string[];
}

/** `base` is what stands before `metadata/` and `targets/` in the paths of the repository. */
export async function openClientWorld(
	repository: ReadonlyMap<string, Uint8Array> | Upstream,
	base: "" | "v1/" = "",
): Promise<ClientWorld> {
	const upstream = typeof repository === "function" ? repository : fromFiles(repository);
	const mirror = await openLyingMirror(upstream);
	const folder = mkdtempSync(join(tmpdir(), "kfn-conformance-"));
	const undo = registerUndo("conformance client", () => rmSync(folder, { recursive: true, force: true }));
	const [metadataDir, targetDir] = [join(folder, "metadata"), join(folder, "targets")];
	mkdirSync(metadataDir);
	mkdirSync(targetDir);
	const url = `${mirror.url}/${base}`;
	const start = async (args: readonly string[]): Promise<ClientRun> => {
		const { code, stderr } = await run(CLIENT, ["--metadata-dir", metadataDir, ...args], {
			allowFailure: true,
		});
		return { exit: code, says: /TRUST_[A-Z_]+/.exec(stderr)?.[0] ?? stderr };
	};
	const from = ["--metadata-url", `${url}metadata/`];
	return {
		mirror,
		metadataDir,
		targetDir,
		init(root) {
			const file = join(folder, "root.json");
			writeFileSync(file, root);
			return start(["init", file]);
		},
		refresh: () => start([...from, "refresh"]),
		download(...names) {
			const wanted = names.flatMap((name) => ["--target-name", name]);
			const where = ["--target-base-url", `${url}targets/`, "--target-dir", targetDir];
			return start([...from, ...wanted, ...where, "download"]);
		},
		trusted: () => versionsIn(metadataDir),
		artifacts: (encoding = "utf8") =>
			readdirSync(targetDir).map((name) => readFileSync(join(targetDir, name), encoding)),
		asked: () => mirror.asked.splice(0).map((path) => path.slice(base.length)),
		async [Symbol.asyncDispose]() {
			undo.run();
			await mirror[Symbol.asyncDispose]();
		},
	};
}

function versionsIn(folder: string): Record<string, number> {
	const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
	return Object.fromEntries(
		names.map((name) => {
			const { signed } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
				signed: { version: number };
			};
			return [name.slice(0, -".json".length), signed.version];
		}),
	);
}
