// The bound on how much runs at once.
import { expect, test } from "vitest";
import { Turnstile } from "./turnstile.ts";

test("never more than the limit, everyone in order, also after failures", async () => {
	const turnstile = new Turnstile(2);
	let running = 0;
	let most = 0;
	const order: number[] = [];
	const task = (n: number) =>
		turnstile.run(async () => {
			order.push(n);
			running += 1;
			most = Math.max(most, running);
			await new Promise((resolve) => setImmediate(resolve));
			running -= 1;
			if (n % 3 === 0) throw new Error(`task ${n}`);
			return n;
		});
	const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => task(n)));
	expect(most).toBe(2);
	expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
	expect(results.filter((result) => result.status === "rejected")).toHaveLength(4);
	expect(await turnstile.run(async () => "still open")).toBe("still open");
});
