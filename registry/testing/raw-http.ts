// For tests only: HTTP as an attacker writes it, byte by byte on a socket. Product code never imports it.
import { connect, type Socket } from "node:net";

/** A connection that collects all that comes back. */
export class RawConnection {
	readonly socket: Socket;
	readonly #parts: Buffer[] = [];
	/** Resolves with everything received once the server closed the connection, in whatever way. */
	readonly closed: Promise<string>;

	private constructor(socket: Socket) {
		this.socket = socket;
		socket.on("data", (part) => this.#parts.push(part));
		socket.on("error", () => undefined);
		this.closed = new Promise((resolve) => {
			socket.on("close", () => resolve(Buffer.concat(this.#parts).toString("latin1")));
		});
	}

	static open(url: string): Promise<RawConnection> {
		const { hostname, port } = new URL(url);
		return new Promise((resolve, reject) => {
			const socket = connect(Number(port), hostname);
			socket.once("error", reject);
			socket.once("connect", () => {
				socket.removeListener("error", reject);
				resolve(new RawConnection(socket));
			});
		});
	}

	send(...lines: string[]): void {
		this.socket.write(lines.join("\r\n"));
	}
}

/** Sends `text` on a connection of its own and answers all that came back. */
export async function rawExchange(url: string, text: string): Promise<{ status: number; body: unknown }> {
	const connection = await RawConnection.open(url);
	connection.socket.write(text);
	const answer = await connection.closed;
	const [head = "", body = ""] = answer.split("\r\n\r\n");
	return { status: Number(head.split(" ")[1]), body: body === "" ? undefined : JSON.parse(body) };
}
