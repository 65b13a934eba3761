// Who checked the program that runs now: the kernel or the loader. Pure; refuses to say that it was the kernel where the pins do not.
import type { Applied } from "./generations.ts";
import type { Pin } from "./loader-answers.ts";

export interface VerifiedBy {
	/** Who checked the bytes that run; null before the loader did. */
	readonly verified: "kernel" | "loader" | null;
	/** The keyring by a key of which the kernel checked the running program; null where it did not. */
	readonly keyring: string | null;
	/** What was checked, or why it was not the kernel that did. */
	readonly verifiedReason: string | null;
}

/**
 * Who checked the bytes that run now. What was said when they were applied is not enough: after a reboot another program of the
 * same bytes may run, which the kernel did not check. Its mark is in the pins; `pin` is undefined where nothing is pinned or nobody could look.
 */
export function verifiedBy(
	applied: Applied["functions"][number] | undefined,
	pin: Pin | undefined,
): VerifiedBy {
	const keyring = pin?.keyring ?? null;
	const said = applied?.verifiedReason ?? null;
	if (keyring !== null) {
		const reason = `the kernel checked the signature with a key of ${keyring} when it was loaded`;
		return { verified: "kernel", keyring, verifiedReason: applied?.keyring === keyring ? said : reason };
	}
	if (applied?.verified !== "kernel")
		return { verified: applied?.verified ?? null, keyring, verifiedReason: said };
	const verifiedReason =
		pin === undefined
			? "the kernel checked it when it was applied, and nothing of it is seen to run now"
			: "what runs now was loaded without a check by the kernel";
	return { verified: pin === undefined ? null : "loader", keyring, verifiedReason };
}
