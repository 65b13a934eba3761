// Hardware as people type it on a command line. Refuses what no device can have.
import { isBus, isDeviceId, isVendorId } from "#signing/hardware.ts";
import type { HardwareRange } from "#signing/vendors-change.ts";
import { CliError } from "./errors.ts";

/** `BUS:VENDOR`; CLI_USAGE for anything else. */
export function parseHardware(text: string): { bus: string; vendor: string } {
	const [bus, vendor, ...rest] = text.split(":");
	if (isBus(bus) && isVendorId(bus, vendor) && rest.length === 0) return { bus, vendor };
	throw new CliError("CLI_USAGE", `"${text}" is not BUS:VENDOR`, {
		hint: "pci:8086, usb:0bda: the ids as sysfs shows them, in lowercase and without 0x",
	});
}

/** The devices of a vendor, or all where none is named; CLI_USAGE. */
export function parseHardwareRange(hardware: string, devices: readonly string[]): HardwareRange {
	const { bus, vendor } = parseHardware(hardware);
	const wrong = devices.find((device) => !isDeviceId(bus, device));
	if (wrong === undefined) return { bus, vendor, devices: devices.length === 0 ? "all" : devices };
	throw new CliError("CLI_USAGE", `"${wrong}" is not the id of a device on ${bus}`, {
		hint: "as sysfs shows it, in lowercase and without 0x: 1592",
	});
}
