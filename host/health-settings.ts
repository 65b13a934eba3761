// How a change is watched before it counts, as the caller of a host says it. Pure.

/** The operator's own check of a change. */
export interface HealthCheck {
	/** The program and its arguments; a name without a slash is looked for in PATH. */
	readonly argv: readonly string[];
	readonly timeoutSeconds: number;
}

/** `seconds` 0: what functions answer is not watched. */
export interface HealthSettings {
	readonly seconds: number;
	readonly check: HealthCheck | undefined;
}

export const NO_HEALTH_WINDOW: HealthSettings = { seconds: 0, check: undefined };

export function hasWindow({ seconds, check }: HealthSettings): boolean {
	return seconds > 0 || check !== undefined;
}
