// What the registry must know of a kind of statement to publish it; everything else about it is its format's (signing/).
// Refuses to hold a kind itself: kinds.ts lists them.
import type { DsseEnvelope } from "#signing/envelope.ts";
import type { Publishers } from "#signing/publishers.ts";
import type { Vendors } from "#signing/vendors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";

/** Who may state what, as the registry's offline keys say it. */
export interface Authorities {
	readonly publishers: Publishers;
	/** Without entries in a registry whose targets list no map of vendors. */
	readonly vendors: Vendors;
}

/** A statement whose signatures its authorities were asked about. */
export interface OpenedStatement {
	readonly id: string;
	/** Whole number from 0. Of two with one id the higher counts; a kind without successors says 0. */
	readonly serial: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`, from when on it is no longer listed; null for one that stays. */
	readonly expires: string | null;
	/** What must hold in the registry for it to be published; a RegistryError or SigningError otherwise. */
	readonly demand?: (reads: MetadataReads) => Promise<void>;
}

export interface StatementKind {
	/** How many of a name may be listed at once, so that `NAME/KIND.json` stays readable. */
	readonly most: number;
	/** What a client runs to see what a file says: a hint's words. */
	readonly show: string;
	/** Parses the file: the kind's own MALFORMED code for all but an envelope in its one spelling. The payload stays closed. */
	readonly parse: (file: Uint8Array) => DsseEnvelope;
	/**
	 * Verifies that whoever may state this about `name` signed it, and that it counts now.
	 * SIGNATURE_ and PUBLISHERS_ codes for who signed, the kind's own for everything else.
	 */
	readonly open: (
		envelope: DsseEnvelope,
		name: string,
		asked: { readonly authorities: Authorities; readonly now: Date },
	) => Promise<OpenedStatement>;
}
