// Who a device says it is, by the ids that its bus has in sysfs; on folders like the kernel's.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type DeviceReport, identityOf } from "./device.ts";

const sysfs = mkdtempSync(join(tmpdir(), "kfn-sysfs-"));
afterAll(() => rmSync(sysfs, { recursive: true }));

function lay(bus: string, name: string, files: Readonly<Record<string, string>>): void {
	const folder = join(sysfs, "bus", bus, "devices", name);
	mkdirSync(folder, { recursive: true });
	for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
}

const identity = (bus: string, name: string) => {
	const report = { device: "eth0", kind: null, driver: "example", firmware: "1.2", parent: { bus, name } };
	return identityOf(report as unknown as DeviceReport, "6.18.44", sysfs);
};

test("PCI: the function's own ids, and its board's", () => {
	lay("pci", "0000:03:00.0", {
		...{ vendor: "0x8086\n", device: "0x1592\n" },
		...{ subsystem_vendor: "0x8086\n", subsystem_device: "0x0002\n" },
	});
	expect(identity("pci", "0000:03:00.0")).toEqual({
		...{ device: "eth0", bus: "pci", driver: "example", vendor: "8086", deviceId: "1592" },
		...{ subsystem: { vendor: "8086", device: "0002" }, firmware: "1.2" },
	});
});

test("USB: the ids of the device that the interface belongs to", () => {
	lay("usb", "1-1.2", { idVendor: "0bda\n", idProduct: "8153\n" });
	lay("usb", "1-1.2:1.0", { bInterfaceClass: "ff\n" });
	expect(identity("usb", "1-1.2:1.0")).toMatchObject({ bus: "usb", vendor: "0bda", deviceId: "8153" });
});

test("what is no id, and a name that leads elsewhere, is none", () => {
	lay("pci", "0000:04:00.0", { vendor: "0xZZZZ\n", device: "0x15920\n" });
	expect(identity("pci", "0000:04:00.0")).toMatchObject({ vendor: null, deviceId: null });
	expect(identity("pci", "../../usb/devices/1-1.2")).toMatchObject({ vendor: null, deviceId: null });
	expect(identity("platform", "soc")).toMatchObject({ vendor: null, deviceId: null });
});
