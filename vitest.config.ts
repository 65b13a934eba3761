// Three projects: `fast` (no root, no kernel, about a minute), `slow` (the same, but longer: sessions and kills at every
// write) and `kernel` (root, namespaces, a real BPF kernel). `npm test` runs all three.
import { defineConfig } from "vitest/config";

const kernel = ["**/*.kernel.test.ts"];
const slow = ["**/*.slow.test.ts"];
const never = ["**/node_modules/**", "**/dist/**", "test/vm/**"];

export default defineConfig({
	test: {
		testTimeout: 60_000,
		hookTimeout: 120_000,
		projects: [
			{ test: { name: "fast", include: ["**/*.test.ts"], exclude: [...never, ...slow, ...kernel] } },
			{ test: { name: "slow", include: slow, exclude: never, testTimeout: 120_000 } },
			{
				test: {
					name: "kernel",
					include: kernel,
					exclude: never,
					fileParallelism: false,
					testTimeout: 120_000,
				},
			},
		],
	},
});
