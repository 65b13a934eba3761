// The operator's own check of a change: a command that must end with 0 in time. Refuses a shell, and hands it nothing of
// the caller's environment.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { HostError, plain } from "./errors.ts";
import type { HealthCheck } from "./health-settings.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const OUTPUT_KEPT = 2048;

/**
 * Runs the check and returns the HOST_HEALTH_FAILED that it comes to, if any, with the end of what it printed.
 *
 * It knows the generation by KFN_GENERATION. One that does not end in time, or before `signal` is aborted, is killed with all that it started.
 */
export async function runHealthCheck(
	{ argv, timeoutSeconds }: HealthCheck,
	generation: number,
	signal?: AbortSignal,
): Promise<HostError | undefined> {
	const [program = "", ...args] = argv;
	const child = spawn(program, args, {
		stdio: ["ignore", "pipe", "pipe"],
		env: { PATH, KFN_GENERATION: String(generation) },
		cwd: "/",
		// A group of its own, so that a timeout ends its children as well.
		detached: true,
	});
	let output = "";
	const keep = (chunk: Buffer) => {
		output = (output + chunk.toString("utf8")).slice(-OUTPUT_KEPT);
	};
	child.stdout.on("data", keep);
	child.stderr.on("data", keep);
	let late = false;
	const end = () => {
		if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
	};
	const timer = setTimeout(() => {
		late = true;
		end();
	}, timeoutSeconds * 1000);
	signal?.addEventListener("abort", end, { once: true });
	try {
		const [exit, killed] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
		if (exit === 0) return undefined;
		const how = late ? `did not end in ${timeoutSeconds} s` : `ended with ${exit ?? killed}`;
		return failed(argv, generation, how, { exit, signal: killed, output: plain(output) });
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		return failed(argv, generation, `cannot be started (${code})`, { exit: null, signal: null, output: "" });
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener("abort", end);
	}
}

function failed(
	argv: readonly string[],
	generation: number,
	how: string,
	ended: { exit: number | null; signal: string | null; output: string },
): HostError {
	return new HostError("HOST_HEALTH_FAILED", `the health check ${how}: ${argv.join(" ")}`, {
		hint: "the change was taken back; details.check has what it printed",
		details: { generation, check: { argv, ...ended } },
	});
}
