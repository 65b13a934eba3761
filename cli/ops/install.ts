// kfn install: fetch, verify, preflight, attach. The order, and what a crash in between means, is host/'s.

import { openBundle } from "#bundle/bundle.ts";
import { parseConfigWords } from "#bundle/config-text.ts";
import type { Manifest } from "#bundle/manifest-shape.ts";
import { install as installBundle } from "#host/install.ts";
import { withLock } from "#host/lock.ts";
import { fetchBundle } from "../client/fetch-bundle.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { readPermit } from "./permit.ts";

export async function install(
	context: Context,
	input: {
		request: string;
		scope: string | undefined;
		registry: string | undefined;
		/** Parameters, NAME=VALUE. */
		set: readonly string[];
		/** Parameters that are not set go back to their defaults. */
		reset: boolean;
		/** Although its publisher calls it so. */
		experimental: boolean;
		/** File of a rollback permit, for a version below what this host had before. */
		permit: string | undefined;
	},
): Promise<Output> {
	const named = input.permit === undefined ? undefined : await readPermit(input.permit);
	const { archive, raisesFloor, permits } = await fetchBundle(context, input.request, input.registry);
	const config = input.set.length === 0 ? {} : parseConfigWords(await declaredBy(archive), input.set);
	const report = await withLock(openContextHost(context), "install", (lock) =>
		installBundle(lock, {
			bundle: archive,
			config,
			reset: input.reset,
			experimental: input.experimental,
			raisesFloor,
			permits: { ...permits, named },
			...(input.scope === undefined ? {} : { scope: input.scope }),
			onStep: context.onStep,
		}),
	);
	return changeOutput(report);
}

/** The parameters that a bundle declares: unverified, good for reading words only; host/ verifies and checks values. */
async function declaredBy(archive: Uint8Array): Promise<Manifest["config"]> {
	return (await openBundle(archive)).manifest.config;
}
