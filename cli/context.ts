// What a command knows of the world outside: made once by main.ts from argv and environment, handed to every op.
// Refuses to be global: nothing below main reads process.env.

/** The streams and settings of one run of the command line. */
export interface Context {
	/** Root under which /etc/kfn, /var/lib/kfn and /sys/fs/bpf/kfn lie ("/" unless moved). */
	readonly root: string;
	/** The loader's binary. */
	readonly loader: string;
	/** The folder with the units, hooks and rules of boot loading. */
	readonly bootFiles: string;
	readonly env: Readonly<{
		registry: string | undefined;
		token: string | undefined;
		passphrase: string | undefined;
		signingKey: string | undefined;
		/** Fault injection of the durable writes; only the project's tests set it. */
		fault: string | undefined;
	}>;
	/** The channel that a flag names. */
	readonly channel?: string | undefined;
	/** How long to wait for the host's lock; 0 unless given: somebody is there to be told. */
	readonly lockWaitMs?: number;
	/** What the flags say of a change's health window. */
	readonly health: { readonly window?: string | undefined; readonly check?: string | undefined };
	readonly stderrIsTerminal: boolean;
	readonly stdinIsTerminal: boolean;
	readonly version: string;
	readonly signal: AbortSignal;
	/** Tells a human what is going on; shown only when stderr is a terminal and it takes over half a second; "" hides it. */
	onStep(step: { step: string; detail?: string }): void;
}

/** Where `root` puts the configuration file. */
export function configPath(context: Context): string {
	return `${context.root.replace(/\/$/, "")}/etc/kfn/config.json`;
}
