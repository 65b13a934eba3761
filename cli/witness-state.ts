// What a witness has cosigned, by log: one SQLite file in a folder of its own. Refuses to forget, and to let two runs at once
// cosign two checkpoints that neither of them compared (tlog-witness, add-checkpoint: check and record are one step).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const LOCK_WAIT_MS = 10_000;

export class WitnessState implements Disposable {
	readonly #database: DatabaseSync;

	/** Made when missing, readable by its owner only. */
	constructor(folder: string) {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		this.#database = new DatabaseSync(join(folder, "witness.sqlite"), { timeout: LOCK_WAIT_MS });
		this.#database.exec("pragma journal_mode = wal; pragma synchronous = full");
		this.#database.exec(
			"create table if not exists seen (origin text primary key, checkpoint text not null)",
		);
	}

	/** The newest checkpoint of the log that was cosigned here; undefined before the first. */
	seen(origin: string): Uint8Array | undefined {
		const row = this.#database.prepare("select checkpoint from seen where origin = ?").get(origin);
		return row === undefined ? undefined : Buffer.from(String(row["checkpoint"]));
	}

	/** Compare-and-swap, durable when it returns: false, and nothing written, unless the newest is still `expected`. */
	record(origin: string, expected: Uint8Array | undefined, checkpoint: Uint8Array): boolean {
		const text = Buffer.from(checkpoint).toString();
		const result =
			expected === undefined
				? this.#database
						.prepare("insert into seen (origin, checkpoint) values (?, ?) on conflict do nothing")
						.run(origin, text)
				: this.#database
						.prepare("update seen set checkpoint = ? where origin = ? and checkpoint = ?")
						.run(text, origin, Buffer.from(expected).toString());
		return result.changes === 1;
	}

	[Symbol.dispose](): void {
		this.#database.close();
	}
}
