// How documents name hardware: the bus, and the ids that the bus gives vendor and device (docs/formats/catalogue.md). Refuses a
// second spelling of an id: what decides who may speak for a device must be equal byte for byte.

/** A device as its bus names it. */
export interface HardwareId {
	readonly bus: string;
	readonly vendor: string;
	readonly device: string;
}

const BUS = /^[a-z](?:[a-z0-9_]{0,22}[a-z0-9])?$/;
/** PCI and USB: 16 bits in hex, as sysfs prints them, without `0x`. */
const HEX = /^[0-9a-f]{4}$/;
const OTHER_VENDOR = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const OTHER_DEVICE = /^[a-z0-9][a-z0-9._,+-]{0,62}$/;

const ofHex = (bus: string) => bus === "pci" || bus === "usb";

export function isBus(value: unknown): value is string {
	return typeof value === "string" && BUS.test(value);
}

/** 4 lowercase hex digits on `pci` and `usb`; on other buses up to 32 of a-z, 0-9 and `-`. */
export function isVendorId(bus: string, value: unknown): value is string {
	return typeof value === "string" && (ofHex(bus) ? HEX : OTHER_VENDOR).test(value);
}

/** 4 lowercase hex digits on `pci` and `usb`; on other buses up to 63 of a-z, 0-9 and `. _ , + -`. */
export function isDeviceId(bus: string, value: unknown): value is string {
	return typeof value === "string" && (ofHex(bus) ? HEX : OTHER_DEVICE).test(value);
}

/** `VENDOR:DEVICE` of the board's maker, on `pci` alone. */
export function isSubsystem(bus: string, value: unknown): value is string {
	return bus === "pci" && typeof value === "string" && /^[0-9a-f]{4}:[0-9a-f]{4}$/.test(value);
}

/** The name under which a registry lists what is said of a vendor's hardware, such as `pci-8086`; it has the form of a bundle's name. */
export function hardwareName({ bus, vendor }: Pick<HardwareId, "bus" | "vendor">): string {
	return `${bus.replaceAll("_", "-")}-${vendor}`;
}
