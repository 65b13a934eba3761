// Makes dist/kfn.cjs, the command line with everything it imports; what only some commands need lies in chunks beside it,
// so that `kfn status` does not read a web server. Run by setup.sh.
// CommonJS, because it links in half the time of the same code as ES modules, and is what Node's single executable takes.

import { rm } from "node:fs/promises";
import { rolldown } from "rolldown";

await rm("dist", { recursive: true, force: true });
const bundle = await rolldown({
	input: { kfn: "cli/main.ts" },
	platform: "node",
	// oclif looks for these only when it runs TypeScript sources itself, which it never does here.
	external: ["typescript", "ts-node", "tsx"],
	logLevel: "warn",
});
await bundle.write({
	dir: "dist",
	format: "cjs",
	minify: true,
	entryFileNames: "[name].cjs",
	chunkFileNames: "[name]-[hash].cjs",
});
