// A local signed apt repository on loopback, made of given payloads: the peer that kfn is compared with. Refuses to serve anything unsigned, and keeps its key no longer than it lives.
import { createReadStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";

/** A Debian package without maintainer scripts. */
export interface PackageSpec {
	/** Lowercase letters, digits, `+`, `-` and `.`. */
	readonly name: string;
	readonly version: string;
	/** Absolute path on the installed system → content. */
	readonly files: Readonly<Record<string, Uint8Array>>;
}

/** A repository that is served until it is disposed of. */
export interface AptRepository extends AsyncDisposable {
	/** `http://127.0.0.1:PORT`. */
	readonly url: string;
	/** Public keyring file, for `signed-by`. */
	readonly keyring: string;
	/** The line for sources.list. */
	readonly source: string;
	/** Requests answered so far. */
	readonly requests: number;
	/** Adds packages and signs the index anew, as a publisher does with a new version. */
	add(packages: readonly PackageSpec[]): Promise<void>;
}

/** Builds the packages, signs their index with a key made for this repository, and serves them over HTTP on loopback. */
export async function openAptRepository(packages: readonly PackageSpec[]): Promise<AptRepository> {
	requireTools("dpkg-deb", "apt-ftparchive", "gpg", "gpgconf");
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), `kfn-apt-${process.pid}-`));
	const undo = registerUndo(`apt repository ${folder}`, () =>
		rmSync(folder, { recursive: true, force: true }),
	);
	stack.defer(() => undo.run());
	const tree = join(folder, "www");
	mkdirSync(join(tree, POOL), { recursive: true });
	const signer = await openSigner(folder);
	stack.defer(() => signer.close());
	const add = async (more: readonly PackageSpec[]) => {
		for (const spec of more) await buildPackage(folder, tree, spec);
		await index(tree, signer);
	};
	await add(packages);
	const served = await serve(tree);
	stack.defer(() => served.close());
	const owned = stack.move();
	return {
		url: served.url,
		keyring: signer.keyring,
		source: `deb [signed-by=${signer.keyring}] ${served.url} stable main`,
		get requests() {
			return served.count();
		},
		add,
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

const POOL = "pool/main";

async function buildPackage(folder: string, tree: string, spec: PackageSpec): Promise<void> {
	const { name, version } = spec;
	const stage = join(folder, `stage-${name}-${version}`);
	const control = [
		`Package: ${name}`,
		`Version: ${version}`,
		`Architecture: ${await architecture()}`,
		"Maintainer: kfn tests <kfn@invalid>",
		"Description: payload of a kfn test",
		"",
	];
	const files = { ...spec.files, "/DEBIAN/control": Buffer.from(control.join("\n")) };
	for (const [path, bytes] of Object.entries(files)) {
		mkdirSync(dirname(join(stage, path)), { recursive: true });
		writeFileSync(join(stage, path), bytes);
	}
	const deb = join(tree, POOL, `${name}_${version}.deb`);
	await run("dpkg-deb", ["--root-owner-group", "--build", stage, deb]);
	rmSync(stage, { recursive: true });
}

/** Writes Packages, Release and InRelease; apt reads the last one first and everything else by the digests in it. */
async function index(tree: string, signer: Signer): Promise<void> {
	const arch = await architecture();
	const suite = join(tree, "dists/stable");
	const binary = join(suite, `main/binary-${arch}`);
	mkdirSync(binary, { recursive: true });
	const packages = await run("apt-ftparchive", ["packages", POOL], { cwd: tree });
	writeFileSync(join(binary, "Packages"), packages.stdout);
	await run("gzip", ["-9nkf", join(binary, "Packages")]);
	const fields = {
		Origin: "kfn",
		Suite: "stable",
		Codename: "stable",
		Architectures: arch,
		Components: "main",
	};
	const options = Object.entries(fields).flatMap(([key, value]) => [
		"-o",
		`APT::FTPArchive::Release::${key}=${value}`,
	]);
	// An old Release would list itself.
	for (const name of ["Release", "InRelease"]) rmSync(join(suite, name), { force: true });
	const release = await run("apt-ftparchive", [...options, "release", suite]);
	writeFileSync(join(suite, "Release"), release.stdout);
	await signer.clearsign(join(suite, "Release"), join(suite, "InRelease"));
}

interface Signer {
	readonly keyring: string;
	clearsign(file: string, out: string): Promise<void>;
	close(): Promise<void>;
}

async function openSigner(folder: string): Promise<Signer> {
	const home = join(folder, "gnupg");
	mkdirSync(home, { mode: 0o700 });
	const env = { ...process.env, GNUPGHOME: home };
	const gpg = (...args: string[]) => run("gpg", ["--batch", "--quiet", "--passphrase", "", ...args], { env });
	await gpg("--quick-generate-key", "kfn tests <kfn@invalid>", "ed25519", "sign", "1d");
	const keyring = join(folder, "keyring.gpg");
	await gpg("--output", keyring, "--export");
	return {
		keyring,
		async clearsign(file, out) {
			await gpg("--digest-algo", "SHA512", "--output", out, "--clearsign", file);
		},
		async close() {
			await run("gpgconf", ["--kill", "all"], { env });
		},
	};
}

async function serve(tree: string): Promise<{ url: string; count(): number; close(): Promise<void> }> {
	let requests = 0;
	const server: Server = createServer((request, response) => {
		requests++;
		const file = join(tree, new URL(request.url ?? "/", "http://localhost").pathname);
		const found = statSync(file, { throwIfNoEntry: false });
		if (found === undefined || !found.isFile()) {
			response.writeHead(404).end();
			return;
		}
		const headers = { "content-length": found.size, "last-modified": found.mtime.toUTCString() };
		response.writeHead(200, headers);
		createReadStream(file).pipe(response);
	});
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		count: () => requests,
		async close() {
			server.closeAllConnections();
			await new Promise<void>((resolve) => void server.close(() => resolve()));
		},
	};
}

let known: Promise<string> | undefined;

function architecture(): Promise<string> {
	known ??= run("dpkg", ["--print-architecture"]).then(({ stdout }) => stdout.trim());
	return known;
}
