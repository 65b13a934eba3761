// VM tests: other kernels, booted in QEMU. Slow (some minutes), so apart from `npm test`. Two machines at a time: most have one
// processor, and nothing in them is judged by its time; but power cuts, which hit the more changes the faster those are.
import { defineConfig } from "vitest/config";

const power = "test/vm/power.test.ts";
const limits = { testTimeout: 300_000, hookTimeout: 300_000 };

export default defineConfig({
	test: {
		reporters: ["verbose"],
		projects: [
			{
				test: {
					...limits,
					name: "vm",
					include: ["test/vm/**/*.test.ts"],
					exclude: [power],
					maxWorkers: 2,
					sequence: { groupOrder: 0 },
				},
			},
			{
				test: { ...limits, name: "power", include: [power], maxWorkers: 1, sequence: { groupOrder: 1 } },
			},
		],
	},
});
