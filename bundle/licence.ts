// Which licence texts fit together: the manifest's SPDX expression and the string that the kernel reads in the object.
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

const GPL = /^GPL-2\.0-(only|or-later)$/;

/** The strings that the kernel takes as GPL-compatible (include/linux/license.h), and what the expression must offer. */
const FITTING: ReadonlyMap<string, RegExp | undefined> = new Map([
	["GPL", undefined],
	["GPL v2", undefined],
	["Dual BSD/GPL", /^BSD-[23]-Clause$/],
	["Dual MIT/GPL", /^MIT$/],
	["Dual MPL/GPL", /^MPL-(1\.1|2\.0)$/],
]);

/** Demands one GPL-2.0 alternative: without it the kernel withholds helpers. BUNDLE_LICENCE_MISMATCH otherwise. */
export function checkLicence(expression: string): void {
	if (!expression.split(" OR ").some((id) => GPL.test(id))) {
		throw new BundleError("BUNDLE_LICENCE_MISMATCH", `the license "${plain(expression)}" offers no GPL-2.0`, {
			hint: "Kernel functions are GPL-2.0-only, GPL-2.0-or-later, or an OR of one of them and others.",
		});
	}
}

/** Demands that an object's license string is GPL-compatible and claims no alternative that the expression lacks. */
export function checkObjectLicence(expression: string, object: string, found: string | undefined): void {
	const details = { object, found: found === undefined ? null : plain(found) };
	if (found === undefined) {
		throw new BundleError("BUNDLE_LICENCE_MISMATCH", `${object} has no license section`, { details });
	}
	const other = FITTING.get(found);
	if (
		!FITTING.has(found) ||
		(other !== undefined && !expression.split(" OR ").some((id) => other.test(id)))
	) {
		throw new BundleError(
			"BUNDLE_LICENCE_MISMATCH",
			`${object} says license "${plain(found)}", the manifest says "${plain(expression)}"`,
			{ details, hint: 'For "GPL-2.0-only OR BSD-2-Clause" the object says "Dual BSD/GPL".' },
		);
	}
}
