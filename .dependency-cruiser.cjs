// The layer table of docs/architecture.md, held by a machine. Refuses: any import that the table does not allow.
const TEST_CODE = "(\\.test\\.ts$|/testing/)";

const layer = (name, from, allowed, comment) => ({
	name,
	comment,
	severity: "error",
	// A test beside the code may use the harness; it is held to nothing else either.
	from: { path: from, pathNot: TEST_CODE },
	to: { path: "^(bundle|signing|registry|host|cli|test)/", pathNot: allowed },
});

module.exports = {
	forbidden: [
		layer(
			"signing-imports-nothing",
			"^signing/",
			"^signing/",
			"signing/ is pure and imports nothing of ours",
		),
		layer("bundle-imports-nothing", "^bundle/", "^bundle/", "bundle/ is pure and imports nothing of ours"),
		layer(
			"registry-layer",
			"^registry/",
			"^(registry|signing|bundle)/",
			"registry/ may import signing/ and bundle/",
		),
		layer("registry-api-is-pure", "^registry/api/", "^registry/api/", "the wire types stand alone"),
		layer("host-layer", "^host/", "^(host|signing|bundle)/", "host/ may import signing/ and bundle/"),
		layer(
			"cli-layer",
			"^cli/",
			"^((cli|host|signing|bundle|registry/api)/|registry/main.ts$)",
			"cli/ sees of registry/ its wire types and its front door",
		),
		{
			name: "no-cycles",
			severity: "error",
			comment: "a cycle has no order to read it in",
			from: {},
			to: { circular: true },
		},
		{
			name: "no-test-in-product",
			severity: "error",
			comment: "product code never imports test code",
			from: {
				path: "^(bundle|signing|registry|host|cli)/",
				pathNot: "(\\.test\\.ts$|/testing/|^cli/bundle\\.ts$)",
			},
			to: { path: "(^test/|/testing/|\\.test\\.ts$|^node_modules/(vitest|rolldown)/)" },
		},
		{
			name: "commands-hold-no-logic",
			severity: "error",
			comment: "a command parses flags and calls one op",
			from: { path: "^cli/commands/" },
			to: { path: "^(host|signing|bundle|registry)/" },
		},
		{ name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
	],
	options: {
		doNotFollow: { path: "node_modules" },
		tsPreCompilationDeps: true,
		tsConfig: { fileName: "tsconfig.json" },
		enhancedResolveOptions: {
			exportsFields: ["exports"],
			conditionNames: ["import", "node", "default", "types"],
			mainFields: ["module", "main", "types"],
		},
	},
};
