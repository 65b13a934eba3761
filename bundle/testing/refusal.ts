// For tests only: runs something that must be refused and hands back the refusal.
import { BundleError, type BundleErrorCode } from "../errors.ts";

/** The BundleError that `act` throws; fails the test when it returns or throws anything else. */
export function refusal(act: () => unknown): BundleError {
	try {
		act();
	} catch (error) {
		if (error instanceof BundleError) return error;
		throw error;
	}
	throw new Error("it was accepted");
}

/** As `refusal`, for a promise. */
export async function refusalOf(act: Promise<unknown>): Promise<BundleError> {
	const outcome = await act.then(
		() => new Error("it was accepted"),
		(error: unknown) => error,
	);
	if (outcome instanceof BundleError) return outcome;
	throw outcome;
}

/** Just the code of a refusal. */
export function codeOf(act: () => unknown): BundleErrorCode {
	return refusal(act).code;
}
