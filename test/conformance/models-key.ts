// Keys of the kinds that TUF's other implementations sign with, for test repositories. Refuses to be used for anything
// that lasts: the secret half never leaves the process.
import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import { Key, Signature } from "@tufjs/models";

export type KeyKind = "ed25519" | "ecdsa" | "rsa";

export interface ModelsKey {
	readonly key: Key;
	sign(data: Buffer): Signature;
}

interface Kind {
	readonly scheme: string;
	generate(): { publicKey: KeyObject; privateKey: KeyObject };
	/** As `keyval.public` spells it. */
	spell(key: KeyObject): string;
	sign(data: Buffer, key: KeyObject): Buffer;
}

const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();

const KINDS: Readonly<Record<KeyKind, Kind>> = {
	ed25519: {
		scheme: "ed25519",
		generate: () => generateKeyPairSync("ed25519"),
		spell: (key) => key.export({ type: "spki", format: "der" }).subarray(-32).toString("hex"),
		sign: (data, key) => sign(null, data, key),
	},
	ecdsa: {
		scheme: "ecdsa-sha2-nistp256",
		generate: () => generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
		spell: pem,
		sign: (data, key) => sign("sha256", data, key),
	},
	rsa: {
		scheme: "rsassa-pss-sha256",
		generate: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
		spell: pem,
		sign: (data, key) =>
			sign("sha256", data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
	},
};

export function makeModelsKey(name: KeyKind): ModelsKey {
	const kind = KINDS[name];
	const { publicKey, privateKey } = kind.generate();
	const keyVal = { public: kind.spell(publicKey) };
	const json = { keytype: name, scheme: kind.scheme, keyval: keyVal };
	const keyID = createHash("sha256").update(canonicalize(json)).digest("hex");
	return {
		key: new Key({ keyID, keyType: name, scheme: kind.scheme, keyVal }),
		sign: (data) => new Signature({ keyID, sig: kind.sign(data, privateKey).toString("hex") }),
	};
}
