// One end of a TCP connection, run inside a namespace: `serve ADDRESS` or `send ADDRESS PORT [BYTES]`. Refuses to say that bytes arrived which did not: each end reports its own count.
import { connect, createServer } from "node:net";

const [role, address, port, limit] = process.argv.slice(2);
const CHUNK = Buffer.alloc(16 * 1024, "kfn");

if (role === "serve") serve(address);
else if (role === "send")
	send(address, Number(port), limit === undefined ? Number.POSITIVE_INFINITY : Number(limit));
else throw new Error("serve ADDRESS | send ADDRESS PORT [BYTES]");

/** Takes one connection, reads it to its end, and prints how many bytes came. */
function serve(host: string | undefined): void {
	const server = createServer((socket) => {
		let received = 0;
		socket.on("data", (chunk) => {
			received += chunk.length;
		});
		socket.on("end", () => {
			print({ received });
			server.close();
		});
	});
	server.listen({ host, port: 0 }, () => {
		const bound = server.address();
		if (bound === null || typeof bound === "string") throw new Error("not a TCP address");
		print({ listening: bound.port });
	});
}

/** Sends until the byte limit or until stdin ends, then closes and prints how many bytes it wrote. */
function send(host: string | undefined, to: number, bytes: number): void {
	let sent = 0;
	let from: number | undefined;
	let stopped = false;
	const socket = connect({ ...(host === undefined ? {} : { host }), port: to });
	const pump = () => {
		for (;;) {
			const length = Math.min(CHUNK.length, bytes - sent);
			if (stopped || length <= 0) return finish();
			sent += length;
			if (!socket.write(CHUNK.subarray(0, length))) return;
		}
	};
	const finish = () => {
		if (!socket.writableEnded) socket.end();
	};
	socket.on("connect", () => {
		from = socket.localPort; // unknown again once the socket is closed
		print({ connected: from });
		pump();
	});
	socket.on("drain", pump);
	socket.on("close", () => {
		print({ sent, from });
		process.exit(0);
	});
	process.stdin.on("end", () => {
		stopped = true;
		finish();
	});
	process.stdin.resume();
}

function print(value: object): void {
	process.stdout.write(`${JSON.stringify(value)}\n`);
}
