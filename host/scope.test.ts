import { expect, test } from "vitest";
import {
	covers,
	defaultScope,
	encodeScope,
	hookTakes,
	isOnePlace,
	type Namespaces,
	namespaceFile,
	overlaps,
	parseScope,
	type Scope,
	scopeParts,
} from "./scope.ts";
import { mixedTexts, NO_SCOPES, SCOPES } from "./testing/scope-texts.ts";

test.each(SCOPES)("%s is a scope", (text) => expect(parseScope(text)).toBe(text));

test.each(NO_SCOPES)("%j is refused", (text) => {
	expect(() => parseScope(text)).toThrow(expect.objectContaining({ code: "HOST_SCOPE_MALFORMED" }));
});

test.each([
	["netns:root", { kind: "netns", netns: "/proc/1/ns/net", name: "" }],
	["netns:/run/netns/kfn-*", { kind: "pattern", netns: "/run/netns/kfn-", name: "" }],
	["dev:eth0", { kind: "dev", netns: "/proc/1/ns/net", name: "eth0" }],
	["dev:a@b@/run/netns/blue", { kind: "dev", netns: "/run/netns/blue", name: "a@b" }],
	["dev:driver=ice@/run/netns/blue", { kind: "driver", netns: "/run/netns/blue", name: "ice" }],
	["dev:bus=pci", { kind: "bus", netns: "/proc/1/ns/net", name: "pci" }],
])("%s says what it says", (text, parts) => {
	expect(scopeParts(parseScope(text))).toEqual(parts);
});

test.each([
	["netns:/run/netns/kfn-*", "netns:/run/netns/kfn-a", true],
	["netns:/run/netns/*", "netns:/run/netns/kfn-a", true],
	["netns:/run/netns/kfn-*", "netns:/run/netns/kfn-", false],
	["netns:/run/netns/kfn-*", "netns:/run/netns/blue", false],
	["netns:/run/*", "netns:/run/netns/blue", false],
	["netns:/proc/1/ns/*", "netns:root", true],
	["netns:/run/netns/kfn-a", "netns:/run/netns/kfn-a", false],
])("%s covers %s: %s", (pattern, one, expected) => {
	expect(covers(parseScope(pattern), parseScope(one))).toBe(expected);
});

test("two patterns overlap exactly where one name can match both", () => {
	const folders = ["/run/netns/", "/run/", "/run/netns/sub/"];
	const beginnings = ["", "a", "ab", "b", "ba", "."];
	const patterns = folders.flatMap((folder) =>
		beginnings.map((begin) => parseScope(`netns:${folder}${begin}*`)),
	);
	// Of names longer than any beginning, those that continue each beginning in each way show every meeting.
	const files = patterns.map((pattern) => parseScope(`${pattern.slice(0, -1)}zz`));
	for (const a of patterns) {
		for (const b of patterns) {
			const meet = files.some((file) => covers(a, file) && covers(b, file));
			expect([a, b, overlaps(a, b)]).toEqual([a, b, meet]);
		}
	}
});

test("what a scope names has one spelling: everything that parses comes back from its parts", () => {
	const texts = mixedTexts(4000, 7);
	const scopes = texts.flatMap((text) => {
		try {
			return [parseScope(text)];
		} catch {
			return [];
		}
	});
	expect(scopes.length).toBeGreaterThan(200);
	for (const scope of scopes) expect(written(scope)).toBe(scope);
});

function written(scope: Scope): string {
	const { kind, netns, name } = scopeParts(scope);
	const where = netns === "/proc/1/ns/net" ? "" : `@${netns}`;
	const words = {
		none: () => "none",
		netns: () => (where === "" ? "netns:root" : `netns:${netns}`),
		pattern: () => `netns:${netns}*`,
		dev: () => `dev:${name}${where}`,
		driver: () => `dev:driver=${name}${where}`,
		bus: () => `dev:bus=${name}${where}`,
	};
	return words[kind]();
}

test("a hook takes scopes of its kind only", () => {
	const taken = (hook: string) => SCOPES.filter((text) => hookTakes(hook, parseScope(text)));
	expect(taken("netns")).toEqual(SCOPES.filter((text) => text.startsWith("netns:")));
	expect(taken("tc-egress")).toEqual(SCOPES.filter((text) => text.startsWith("dev:")));
	expect(taken("none")).toEqual(["none"]);
	expect(taken("xdp")).toEqual([]);
});

test("one place is a namespace or a device by its name", () => {
	const one = ["netns:root", "netns:/run/netns/blue", "dev:eth0", "dev:eth0@/run/netns/blue"];
	const many = ["netns:/run/netns/*", "dev:driver=ice", "dev:bus=pci", "none"];
	expect([...one, ...many].map((text) => isOnePlace(parseScope(text)))).toEqual([
		...one.map(() => true),
		...many.map(() => false),
	]);
});

test("a scope becomes one name of bpffs, and no two become the same", () => {
	expect(encodeScope(parseScope("netns:root"))).toBe("netns:root");
	expect(encodeScope(parseScope("netns:/run/netns/b.lue"))).toBe("netns:%2Frun%2Fnetns%2Fb%2Elue");
	expect(encodeScope(parseScope("dev:eth0@/run/netns/blue"))).toBe("dev:eth0%40%2Frun%2Fnetns%2Fblue");
	expect(encodeScope(parseScope("netns:/é"))).toBe("netns:%2F%C3%A9");
	expect(encodeScope(parseScope("netns:/%2F"))).toBe("netns:%2F%252F");
});

test("the namespace's file", () => {
	expect(namespaceFile(parseScope("netns:root"))).toBe("/proc/1/ns/net");
	expect(namespaceFile(parseScope("netns:/run/netns/blue"))).toBe("/run/netns/blue");
	expect(namespaceFile(parseScope("dev:eth0"))).toBe("/proc/1/ns/net");
});

const world = (files: Record<string, string>): Namespaces => ({
	identity: (path) => files[path],
	named: () => Object.keys(files).filter((path) => path.startsWith("/run/netns/")),
});

test("the default scope is pid 1's namespace, or the caller's by its name", () => {
	expect(defaultScope(world({ "/proc/self/ns/net": "4:1", "/proc/1/ns/net": "4:1" }))).toBe("netns:root");
	const named = {
		"/proc/self/ns/net": "4:2",
		"/proc/1/ns/net": "4:1",
		"/run/netns/red": "4:3",
		"/run/netns/blue": "4:2",
	};
	expect(defaultScope(world(named))).toBe("netns:/run/netns/blue");
});

test.each<[string, Record<string, string>]>([
	["has no name", { "/proc/self/ns/net": "4:2", "/proc/1/ns/net": "4:1", "/run/netns/red": "4:3" }],
	["may be pid 1's, which cannot be read", { "/proc/self/ns/net": "4:2" }],
	["cannot be read itself", { "/proc/1/ns/net": "4:1", "/run/netns/red": "4:3" }],
])("a namespace that %s asks for --scope", (_, files) => {
	expect(() => defaultScope(world(files))).toThrow(
		expect.objectContaining({ code: "HOST_SCOPE_UNNAMED", hint: expect.stringContaining("--scope") }),
	);
});
