// The two ports of copying a tree: where its files come from, and where they go. Nothing that a reader answers is believed.

export interface TreeReader {
	/** What it reads, for messages; no credentials in it. */
	readonly description: string;
	/** The bytes of a file of the tree, at most `limit` of them; undefined where there is none. */
	read(path: string, limit: number): Promise<Uint8Array | undefined>;
}

/** Takes verified files only: what it is given becomes visible to others. */
export interface TreeWriter extends TreeReader {
	/** Adds a file that nothing names yet: durable and visible under its name after `settle`, at the latest. */
	place(path: string, bytes: Uint8Array): Promise<void>;
	/** Makes all that was placed durable; before anything that names it is replaced. */
	settle(): Promise<void>;
	/** Creates or replaces a file, atomically and durably. */
	replace(path: string, bytes: Uint8Array): Promise<void>;
}

/** A file of the state that is copied, verified. */
export interface Had {
	readonly path: string;
	readonly bytes: Uint8Array;
	/** It came from the origin: it is neither in `out` nor in a base yet. */
	readonly isNew: boolean;
}

/** The same tree, with at most `most` reads under way at a time, however many are asked for. */
export function atMost(most: number, tree: TreeReader): TreeReader {
	let free = most;
	const waiting: (() => void)[] = [];
	return {
		description: tree.description,
		async read(path, limit) {
			if (free > 0) free--;
			else await new Promise<void>((go) => waiting.push(go));
			try {
				return await tree.read(path, limit);
			} finally {
				// The place is handed on, not given back: nobody who comes now may take it before.
				const next = waiting.shift();
				if (next === undefined) free++;
				else next();
			}
		},
	};
}

/**
 * Two trees of which the second has what the first leaves out. What neither has is `missing`, except the roots: that there is no
 * next one is an answer.
 */
export function overlay(first: TreeReader, second: TreeReader, missing: (path: string) => Error): TreeReader {
	return {
		description: first.description,
		async read(path, limit) {
			const bytes = (await first.read(path, limit)) ?? (await second.read(path, limit));
			if (bytes === undefined && !path.endsWith(".root.json")) throw missing(path);
			return bytes;
		},
	};
}
