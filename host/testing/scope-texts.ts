// Scopes and texts that are none, for both readers of them: host/scope.ts and the loader's scope.c must agree on each.

export const SCOPES = [
	"none",
	"netns:root",
	"netns:/run/netns/blue",
	"netns:/proc/42/ns/net",
	"netns:/run/netns/a..b",
	"netns:/.hidden",
	"netns:/é",
	"netns:/run/netns/*",
	"netns:/run/netns/kfn-*",
	"netns:/run/netns/.*",
	"netns:/*",
	`netns:/${"x".repeat(246)}`,
	"dev:eth0",
	"dev:eth0.100",
	"dev:a@b",
	"dev:a@b@/run/netns/blue",
	"dev:eth0@/run/netns/blue",
	"dev:0123456789abcde",
	"dev:driver=ice",
	"dev:driver=802.1Q VLAN Support@/run/netns/blue",
	"dev:driver=ice@/run/netns/blue",
	"dev:bus=pci",
	"dev:bus=pci@/run/netns/blue",
	"dev:driver",
	"dev:ü@/run/netns/ü",
] as const;

export const NO_SCOPES = [
	"",
	"root",
	"none:",
	"netns:",
	"netns:blue",
	"netns:/",
	"netns:/run/netns/",
	"netns:/run//netns/blue",
	"netns:/run/../netns",
	"netns:/run/.",
	"netns:/run/a\nb",
	"netns:/run/*/blue",
	"netns:/run/netns/a*b",
	"netns:/run/netns/a**",
	"netns:*",
	"netns:root*",
	`netns:/${"x".repeat(247)}`,
	`netns:/run/${"é".repeat(60)}`,
	"dev:",
	"dev:.",
	"dev:..",
	"dev:a/b",
	"dev:a:b",
	"dev:a b",
	"dev:eth*",
	"dev:à",
	"dev:0123456789abcdef",
	"dev:@/run/netns/blue",
	"dev:eth0@/run/netns/",
	"dev:eth0@/run/netns/a*",
	"dev:eth0@/run/netns/../blue",
	"dev:driver=",
	"dev:bus=",
	"dev:driver=a*",
	"dev:driver=a/b",
	`dev:driver=${"x".repeat(32)}`,
	"device:eth0",
] as const;

const PIECES = [
	...["netns:", "dev:", "driver=", "bus=", "root", "none", "/run/netns/", "/", "@/", "@", "*", ".", ".."],
	...["blue", "eth0", " ", ":", "é", "\u00a0", "\t", "x".repeat(14), "%"],
];

/** Texts put together from pieces that mean something to the grammar; the same ones for the same seed (xorshift32). */
export function mixedTexts(count: number, seed: number): string[] {
	let state = seed;
	const next = (below: number) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) % below;
	};
	const piece = () => PIECES[next(PIECES.length)]!;
	const begin = () => ["netns:/", "dev:", "netns:/run/netns/", ""][next(4)]!;
	return Array.from({ length: count }, () => begin() + Array.from({ length: 1 + next(5) }, piece).join(""));
}
