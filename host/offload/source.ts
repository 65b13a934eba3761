// The port through which a device's claims are read: what it says it can run, and who says so for it. Refuses a silent "nothing":
// a source that has no claim that counts names the reason. Judging claims against what runs is not done here.

/** A network device as kernel and driver tell of it; no part of it is proof of anything. */
export interface Identity {
	/** The network device's name, such as `eth0`. */
	readonly device: string;
	/** The subsystem of its parent device in sysfs: `pci`, `usb`, `platform`, …; `null` for a virtual device, which has no parent. */
	readonly bus: string | null;
	/** As ethtool's driver information has it (`ETHTOOL_GDRVINFO`, `driver`). */
	readonly driver: string;
	/** Of `pci` and `usb`: 4 lowercase hex digits without `0x`. Of other buses what they have for it; `null` where they tell none. */
	readonly vendor: string | null;
	/** The same, of the device. */
	readonly deviceId: string | null;
	/** The subsystem ids, where the bus has them (`pci`). */
	readonly subsystem?: { readonly vendor: string; readonly device: string };
	/** As ethtool's driver information has it (`fw_version`), byte for byte; `null` where the driver gives none. */
	readonly firmware: string | null;
}

/** What a device's engine can take; a limit that is absent is not claimed, and then nothing may be assumed of it. */
export interface ClaimLimits {
	/** Segments that one packet may be cut into, or merged from. */
	readonly maxSegments?: number;
	/** Bytes from the start of the frame to the end of the last header that it reads. */
	readonly headerDepth?: number;
	/** What it takes, in the function's own words (`ipv4`, `tcp`, …), each once, sorted. */
	readonly protocols?: readonly string[];
}

/** One function that a device says it can run. */
export interface Claim {
	readonly source: "devlink" | "catalogue";
	readonly function: string;
	/** `null` where the source cannot say it: then it is not known, which is not the same as equal. */
	readonly abi: number | null;
	/** `kfn1:` and 64 lowercase hex digits. */
	readonly tag: string;
	/** The digest of the effective config that the device was built for (64 lowercase hex digits), `any`, or `null`: not said. */
	readonly config: string | null;
	readonly limits: ClaimLimits;
	/** Where it stands, for people: the devlink version's name, or issuer and serial of the catalogue. */
	readonly from: string;
}

/** Why a source has no claim that counts. Closed: callers compare it, and each is a failed condition of its own. */
export type NoClaim =
	/** Nobody says anything of this device. */
	| "none"
	| "unsigned"
	/** Signed, but nobody is trusted for this vendor and device, or not by enough of the trusted keys; or a signature is wrong. */
	| "untrusted"
	/** Signed by keys that are trusted for hardware of another vendor, or other devices, only. */
	| "foreign-vendor"
	| "expired"
	| "not-yet"
	| "wrong-firmware"
	/** An older serial than this host has seen of the same issuer for the same device. */
	| "replayed"
	| "malformed"
	/** The source could not be asked; `why` says what the system answered. */
	| "unreadable";

export type SourceAnswer =
	| { readonly kind: "claims"; readonly claims: readonly Claim[] }
	| { readonly kind: "none"; readonly reason: NoClaim; readonly why: string };

/** Asked again for each verdict; it may read files and the kernel, and never the network. Throws only what is our own bug. */
export interface ClaimSource {
	readonly source: Claim["source"];
	claims(identity: Identity): Promise<SourceAnswer>;
}
