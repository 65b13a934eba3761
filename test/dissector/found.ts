// The packets that a fuzzer once found and comparison.ts saved, smallest form. Refuses to forget one.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VectorSpec } from "./vector-spec.ts";

export const foundFolder = fileURLToPath(new URL("./found", import.meta.url));

export function readFound(): readonly VectorSpec[] {
	if (!existsSync(foundFolder)) return [];
	return readdirSync(foundFolder)
		.toSorted()
		.map((name) => {
			const { why, data, flags }: { why: string; data: string; flags: number } = JSON.parse(
				readFileSync(join(foundFolder, name), "utf8"),
			);
			return { name: `found-${name.replace(/\.json$/, "")}`, why, data: Buffer.from(data, "hex"), flags };
		});
}
