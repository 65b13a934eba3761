// A stock file server over a folder, as a process of its own: Python's, which knows nothing of registries. Refuses to serve
// beyond loopback.
import { spawn } from "node:child_process";
import { registerUndo } from "./cleanup.ts";
import { endChild, waitForLine } from "./command.ts";

export interface StaticServer extends AsyncDisposable {
	/** `http://127.0.0.1:PORT`. */
	readonly url: string;
}

/** Starts `python3 -m http.server` on a free port. */
export async function startStaticServer(folder: string): Promise<StaticServer> {
	const args = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder];
	const child = spawn("python3", args, { stdio: ["ignore", "pipe", "pipe"] });
	const undo = registerUndo("static server", () => child.kill("SIGKILL"));
	const line = await waitForLine(child, /Serving HTTP on .* port \d+/);
	const [, port] = /port (\d+)/.exec(line) ?? [];
	return {
		url: `http://127.0.0.1:${port}`,
		async [Symbol.asyncDispose]() {
			await endChild(child);
			undo.release();
		},
	};
}
