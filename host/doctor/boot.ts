// What `kfn doctor` asks of boot loading: whether the next boot would load what runs now. Changes nothing.
import { type BootStatus, bootStatus } from "../boot/status.ts";
import { type Check, type Finding, ok, problem } from "./check.ts";

export const bootCheck: Check = {
	name: "boot",
	look(host) {
		const status = bootStatus(host);
		if (!status.enabled) return [ok("loading at boot is not enabled")];
		const found = [...switchFinding(status), ...unfinishedFindings(status), ...imageFindings(status)];
		return found.length > 0 ? found : [ok(`generation ${status.current} is loaded at the next boot`)];
	},
};

function switchFinding({ off }: BootStatus): Finding[] {
	if (off === null) return [];
	const where = off === "file" ? "the file /etc/kfn/off" : "kfn=off on the kernel's command line";
	return [
		problem(`${where} keeps the next boot from loading anything`, "take it away when you want it back"),
	];
}

function unfinishedFindings({ unfinished, current }: BootStatus): Finding[] {
	return unfinished.map(({ generation, boots }) =>
		problem(
			`generation ${generation}${generation === current ? ", the current one," : ""} did not come up in ${boots} of the last boots`,
			"kfn boot status says why; kfn rollback goes back, kfn boot enable lets the next boot try again",
		),
	);
}

function imageFindings({ images, initramfs }: BootStatus): Finding[] {
	if (!initramfs) return [];
	return images
		.filter(({ stale }) => stale)
		.map(({ release, generation }) =>
			problem(
				`the initramfs of ${release} carries generation ${generation}, which is not what it would get now`,
				"make it again: update-initramfs -u -k RELEASE, or dracut --force",
			),
		);
}
