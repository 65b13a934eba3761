// Symbols of the kernel in real objects: named by the variant exactly as they are used, and from a closed list. What a kernel makes of
// them is shown in test/vm/gro-live.test.ts.
import { describe, expect, it, test } from "vitest";
import { openBundle } from "./bundle.ts";
import { refusal } from "./testing/refusal.ts";
import { sampleBundle, samplePackage } from "./testing/sample.ts";

const FEATURES = ["ksym:bpf_cast_to_kern_ctx", "ksym:softnet_data", "link:netns", "prog_type:flow_dissector"];
const TOP = `extern void *bpf_cast_to_kern_ctx(void *) __attribute__((section(".ksyms")));
extern const int softnet_data __attribute__((section(".ksyms")));
`;
const BOTH = "return bpf_cast_to_kern_ctx(ctx) == &softnet_data;";

/** The sample, whose program and note say the given; and whose package asks for `asked`. */
function bundle(body: string, noted: readonly string[], asked = noted) {
	const [unit] = samplePackage()["units"] as Record<string, unknown>[];
	const note = noted.map((feature) => `feature=${feature}\\\\n`).join("");
	return sampleBundle({
		package: { units: [{ ...unit, requires: { kernel: ">=5.10", features: asked } }] },
		source: (text) =>
			text
				.replace(/"feature=.*"/, () => `"${note}"`)
				.replace('SEC("flow_dissector")', () => `${TOP}SEC("flow_dissector")`)
				.replace("return 0;", () => body),
	});
}

describe("symbols of the kernel", () => {
	test("are features, and leave the program without a digest: their places are the running kernel's", async () => {
		const { manifest } = await openBundle(bundle(BOTH, FEATURES).archive);
		expect(manifest.variants[0]).toMatchObject({
			requires: { features: FEATURES },
			programs: [{ insnsDigest: null }],
		});
	});

	it.each([
		["that the variant does not ask for", BOTH, FEATURES.slice(1), /needs "ksym:bpf_cast_to_kern_ctx"/],
		[
			"that no program names",
			"return &softnet_data != 0;",
			FEATURES,
			/"ksym:bpf_cast_to_kern_ctx", which it does not need/,
		],
	])("%s are refused", async (_what, body, features, message) => {
		const error = refusal(() => bundle(body, features));
		expect([error.code, error.message]).toEqual(["BUNDLE_ELF_MISMATCH", expect.stringMatching(message)]);
	});

	test("that are on no list are refused, whoever asks for them", () => {
		const error = refusal(() => bundle(BOTH, ["ksym:bpf_rdonly_cast", ...FEATURES]));
		expect(error.code).toBe("BUNDLE_PACKAGE_INVALID");
		const call = "return (long)other(ctx);";
		const extern = 'extern void *other(void *) __attribute__((section(".ksyms")));\n';
		const named = refusal(() =>
			sampleBundle({
				source: (text) =>
					text
						.replace('SEC("flow_dissector")', () => `${extern}SEC("flow_dissector")`)
						.replace("return 0;", () => call),
			}),
		);
		expect([named.code, named.message]).toEqual(["BUNDLE_MAP_UNSUPPORTED", expect.stringMatching(/other/)]);
	});
});
