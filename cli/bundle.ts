// Makes dist/kfn.cjs: the command line with everything it imports as one file (esbuild). Run by setup.sh.
// CommonJS, because it links in half the time of the same code as a module, and is what Node's single executable takes.

import { rm } from "node:fs/promises";
import { build } from "esbuild";

await build({
	entryPoints: ["cli/main.ts"],
	outfile: "dist/kfn.cjs",
	bundle: true,
	platform: "node",
	target: "node24",
	format: "cjs",
	// oclif looks for these only when it runs TypeScript sources itself, which it never does here.
	external: ["typescript", "ts-node", "tsx"],
	define: { "import.meta.url": "__url" },
	banner: { js: 'const __url=require("node:url").pathToFileURL(__filename).href;' },
	legalComments: "linked",
	logLevel: "warning",
	minifySyntax: true,
	minifyWhitespace: true,
});
// Code compiled from the bundle before this one.
await rm("dist/cache", { recursive: true, force: true });
