// Vectors of the program types beside the flow dissector: a sched_cls program's context and packet, and XDP's fragments, in and
// out; what does not fit a type is refused, and a wrong answer is told whole.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BundleSpec, type Json, make, Rig } from "./fixture.ts";

let rig: Rig;
beforeAll(() => {
	make("all");
	rig = new Rig();
	rig.mountBpffs();
});
afterAll(() => rig.dispose());

/** Says what it finds in the context (gso_segs at 4 × 41, gso_size at 4 × 44 of struct __sk_buff), and changes the packet: its first byte, its mark, its cb. */
const TC: BundleSpec = {
	section: "tc",
	requires: { kernel: ">=5.10", features: ["prog_type:sched_cls"] },
	top: "static long (*const store)(struct __sk_buff *, __u32, const void *, __u32, __u64) = (void *)9;",
	body: `__u8 byte = 0xab; if (skb->mark == 9) return -1;
	skb->mark += 1; skb->cb[4] = skb->cb[0] + ((const volatile __u32 *)skb)[41]; skb->priority = ((const volatile __u32 *)skb)[44];
	return store(skb, 0, &byte, 1, 0);`,
};
/** Adds up all bytes behind the first 16, writes the sum to the first four, and cuts 4 bytes off. */
const XDP: BundleSpec = {
	section: "xdp.frags",
	requires: { kernel: ">=5.18", features: ["prog_type:xdp"] },
	top: `static long (*const load)(void *, __u32, void *, __u32) = (void *)189;
static long (*const store)(void *, __u32, void *, __u32) = (void *)190;
static long (*const cut)(void *, int) = (void *)65;
static __u64 (*const length)(void *) = (void *)188;`,
	body: `__u32 sum = 0, i, len = length(skb); __u8 byte;
	for (i = 16; i < 65536; i += 1024) { if (i >= len || load(skb, i, &byte, 1)) break; sum += byte; }
	return store(skb, 0, &sum, 4) || cut(skb, -4) ? 0 : 2;`,
};

const PACKET = Buffer.alloc(64, 0x11);
function check(spec: BundleSpec, ...vectors: Json[]) {
	const lines = vectors.map((vector, i) =>
		JSON.stringify({ name: `v${i}`, why: "a test", program: "dissect", ...vector }),
	);
	const bundle = rig.bundle({ ...spec, vectors: lines.map((line) => `${line}\n`).join("") });
	return rig.check([bundle.planned("none")]);
}

test("a sched_cls program: context in, answer, packet and context out", () => {
	const out = Buffer.from(PACKET);
	out[0] = 0xab;
	const first = { data: PACKET.toString("hex"), retval: 0, out: out.toString("hex") };
	const answer = check(
		TC,
		{
			...first,
			ctx: { mark: 1, cb: [5, 0, 0, 0, 0], gso_segs: 3, gso_size: 1000 },
			ctxOut: { mark: 2, cb: [5, 0, 0, 0, 8], gso_segs: 3, priority: 1000 },
		},
		{ ...first, ctxOut: { mark: 1, wire_len: 64 } },
		{ data: PACKET.toString("hex"), ctx: { mark: 9 }, retval: 4294967295, out: PACKET.toString("hex") },
	);
	expect(answer.body).toMatchObject({ ok: true, functions: [{ vectors: { run: 3 } }] });
});

test("XDP with fragments: 60 KiB in, 60 KiB less 4 bytes out", () => {
	const data = Buffer.alloc(60 * 1024, 7);
	const out = Buffer.from(data.subarray(0, -4));
	out.writeUInt32LE(60 * 7, 0);
	const answer = check(XDP, { data: data.toString("hex"), retval: 2, out: out.toString("hex") });
	expect(answer.body).toMatchObject({ ok: true, functions: [{ vectors: { run: 1 } }] });
});

test.each<[string, BundleSpec, Json]>([
	["another mark", TC, { retval: 0, ctxOut: { mark: 2 } }],
	["another answer", TC, { retval: 1 }],
	["bytes that were not changed", TC, { retval: 0, out: PACKET.toString("hex") }],
	["a packet that is as long as before", XDP, { retval: 2, out: PACKET.toString("hex") }],
])("%s is a failed vector", (_what, spec, vector) => {
	const answer = check(spec, { data: PACKET.toString("hex"), ...vector });
	expect(answer.code).toBe("LOAD_VECTOR_FAILED");
	const { details } = answer.body.error;
	expect(details.vector).toBe("v0");
	if (vector["ctxOut"]) expect([details.expectedCtx, details.ctx]).toEqual([{ mark: 2 }, { mark: 1 }]);
});

test.each<[string, BundleSpec, Json]>([
	["flags", TC, { flags: 1 }],
	["a context", XDP, { ctx: { mark: 1 } }],
	["a context to compare", XDP, { ctxOut: { mark: 1 } }],
	["a field that the kernel lets nobody set", TC, { ctx: { len: 64 } }],
	["a cb of four", TC, { ctx: { cb: [1, 2, 3, 4] } }],
	["a field that is no number", TC, { ctx: { mark: "1" } }],
	["a gso_size to compare", TC, { ctxOut: { gso_size: 1 } }],
	["no hex", TC, { out: "x" }],
])("%s where it does not belong is malformed", (_what, spec, over) => {
	const answer = check(spec, { data: PACKET.toString("hex"), retval: 0, ...over });
	expect(answer.code).toBe("LOAD_VECTORS_INVALID");
});

test("a length that the kernel does not take is the kernel's refusal", () => {
	const answer = check(TC, { data: "00".repeat(70000 / 2), retval: 0, ctx: { wire_len: 20 } });
	expect(["LOAD_KERNEL_REFUSED"]).toContain(answer.code);
});
