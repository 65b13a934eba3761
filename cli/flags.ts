// Flags that several commands share, spelled once.

import { Flags } from "@oclif/core";

export const scopeFlag = () =>
	Flags.string({
		description: "where: netns:PATH or netns:root; without it, the network namespace this runs in",
		helpValue: "SCOPE",
	});

export const registryFlag = () =>
	Flags.string({ description: "registry's address [env: KFN_REGISTRY]", helpValue: "URL" });

export const keyFlag = (options: { description: string }) =>
	Flags.string({ ...options, multiple: true, multipleNonGreedy: true, default: [], helpValue: "FILE" });
