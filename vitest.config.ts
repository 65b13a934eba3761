// Three projects, one after the other: `fast` (no root, no kernel, a minute to a minute and a half), `slow` (the same, but longer:
// sessions, fuzzing, kills at every write) and `kernel` (root, namespaces, a real BPF kernel). `npm test` runs all three.
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const kernel = ["**/*.kernel.test.ts"];
const slow = ["**/*.slow.test.ts"];
// vitest leaves a core to itself by default, which is half of a machine with two.
const maxWorkers = Math.min(availableParallelism(), 8);
const never = ["**/node_modules/**", "**/dist/**", "test/vm/**"];

export default defineConfig({
	test: {
		testTimeout: 60_000,
		hookTimeout: 120_000,
		projects: [
			{
				test: {
					name: "fast",
					include: ["**/*.test.ts"],
					exclude: [...never, ...slow, ...kernel],
					maxWorkers,
					sequence: { groupOrder: 0 },
				},
			},
			{
				test: {
					name: "slow",
					include: slow,
					exclude: never,
					testTimeout: 120_000,
					maxWorkers,
					sequence: { groupOrder: 1 },
				},
			},
			{
				test: {
					name: "kernel",
					include: kernel,
					exclude: never,
					// Each test has namespaces, a bpffs and a root of its own, so that two can run beside each other.
					maxWorkers: Math.min(maxWorkers, 2),
					sequence: { groupOrder: 2 },
					testTimeout: 120_000,
				},
			},
		],
	},
});
