// Reads the small JSON files of the host's state with a size limit and a documented shape. Refuses to guess at a damaged one.
import { readFileSync, statSync } from "node:fs";
import { fileError } from "./durable.ts";
import { codeOf, HostError } from "./errors.ts";
import type { Shape } from "./shape.ts";

const SIZE_LIMIT = 16 * 1024 * 1024;

/** The bytes of a file, or undefined where there is none; HOST_STATE_MALFORMED beyond 16 MiB. */
export function readIfThere(path: string): Buffer | undefined {
	try {
		const { size } = statSync(path);
		if (size > SIZE_LIMIT) throw malformed(path, `has ${size} bytes`);
		return readFileSync(path);
	} catch (error) {
		if (codeOf(error) === "ENOENT") return undefined;
		throw fileError(error, path);
	}
}

/** A JSON file of the given shape, or undefined where there is none; HOST_STATE_MALFORMED where it is anything else. */
export function readJson<T>(path: string, shape: Shape<T>): T | undefined {
	const bytes = readIfThere(path);
	if (bytes === undefined) return undefined;
	try {
		return shape(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "");
	} catch (error) {
		throw malformed(path, (error as Error).message, error);
	}
}

/** What `read` gives; undefined also where the file is damaged, for a reader to whom that is as good as no file. */
export function unlessDamaged<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch (error) {
		if (codeOf(error) !== "HOST_STATE_MALFORMED") throw error;
		return undefined;
	}
}

function malformed(path: string, why: string, cause?: unknown): HostError {
	return new HostError("HOST_STATE_MALFORMED", `${path}: ${why}`, {
		hint: "kfn did not write this; restore the file from a backup, or look into the disk's health",
		details: { path },
		cause,
	});
}
