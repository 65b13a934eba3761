// Two projects: `fast` (no root, no kernel, under a minute) and `kernel` (root, namespaces, a real BPF kernel).
import { defineConfig } from "vitest/config";

const kernel = ["test/kernel/**/*.test.ts", "test/attacks/**/*.test.ts", "**/*.kernel.test.ts"];
const never = ["**/node_modules/**", "**/dist/**", "test/vm/**"];

export default defineConfig({
	test: {
		testTimeout: 60_000,
		hookTimeout: 120_000,
		projects: [
			{ test: { name: "fast", include: ["**/*.test.ts"], exclude: [...never, ...kernel] } },
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
