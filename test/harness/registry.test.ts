import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openCuttingProxy } from "./cutting-proxy.ts";
import { openTestRegistry } from "./registry.ts";

describe("a test registry", () => {
	it("serves on loopback, also through a cutting proxy, and leaves nothing behind", async () => {
		let dataDir: string;
		{
			await using registry = await openTestRegistry();
			await using proxy = await openCuttingProxy(registry.url);
			dataDir = registry.dataDir;
			expect(registry.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
			for (const url of [registry.url, proxy.url]) expect((await fetch(`${url}/healthz`)).status).toBe(200);
			proxy.cut({ afterBytes: 10, how: "reset" });
			await expect(fetch(`${proxy.url}/healthz`)).rejects.toThrow();
		}
		expect(existsSync(dataDir)).toBe(false);
	});

	it("hands out a token that lets one in", async () => {
		await using registry = await openTestRegistry({ private: true });
		const read = (headers: Record<string, string>) =>
			fetch(`${registry.url}/v1/metadata/9.root.json`, { headers });
		expect((await read({})).status).toBe(401);
		expect((await read({ authorization: `Bearer ${registry.token}` })).status).toBe(404);
	});
});
