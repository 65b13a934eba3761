import { expect, test } from "vitest";
import { defaultScope, encodeScope, type Namespaces, namespaceFile, parseScope } from "./scope.ts";

test.each([
	"netns:root",
	"netns:/run/netns/blue",
	"netns:/proc/42/ns/net",
	"netns:/run/netns/a..b",
	"netns:/.hidden",
])("%s is a scope", (text) => expect(parseScope(text)).toBe(text));

test.each([
	["", "HOST_SCOPE_MALFORMED"],
	["root", "HOST_SCOPE_MALFORMED"],
	["netns:", "HOST_SCOPE_MALFORMED"],
	["netns:blue", "HOST_SCOPE_MALFORMED"],
	["netns:/", "HOST_SCOPE_MALFORMED"],
	["netns:/run/netns/", "HOST_SCOPE_MALFORMED"],
	["netns:/run//netns/blue", "HOST_SCOPE_MALFORMED"],
	["netns:/run/../netns", "HOST_SCOPE_MALFORMED"],
	["netns:/run/.", "HOST_SCOPE_MALFORMED"],
	["netns:/run/a\nb", "HOST_SCOPE_MALFORMED"],
	["netns:/run/\u0000", "HOST_SCOPE_MALFORMED"],
	[`netns:/${"x".repeat(255)}`, "HOST_SCOPE_MALFORMED"],
	[`netns:/run/${"é".repeat(60)}`, "HOST_SCOPE_MALFORMED"],
	["dev:eth0", "HOST_SCOPE_UNSUPPORTED"],
])("%j is refused", (text, code) => {
	expect(() => parseScope(text)).toThrow(expect.objectContaining({ code }));
});

test("a scope becomes one name of bpffs, and no two become the same", () => {
	expect(encodeScope(parseScope("netns:root"))).toBe("netns:root");
	expect(encodeScope(parseScope("netns:/run/netns/b.lue"))).toBe("netns:%2Frun%2Fnetns%2Fb%2Elue");
	expect(encodeScope(parseScope("netns:/é"))).toBe("netns:%2F%C3%A9");
	expect(encodeScope(parseScope("netns:/%2F"))).toBe("netns:%2F%252F");
});

test("the namespace's file", () => {
	expect(namespaceFile(parseScope("netns:root"))).toBe("/proc/1/ns/net");
	expect(namespaceFile(parseScope("netns:/run/netns/blue"))).toBe("/run/netns/blue");
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
