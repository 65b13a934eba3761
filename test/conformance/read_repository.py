#!/usr/bin/python3
# usage: read_repository.py BASE_URL ROOT_FILE TARGET...   (Debian's python3-securesystemslib and python3-cryptography)
# Reads a kfn repository with none of kfn's code and none of JavaScript: canonical JSON, key ids and Ed25519 are
# securesystemslib's, the walk is TUF 1.0.34 section 5 written down once more. Prints {target: sha256} as JSON. Refuses
# (exit 1, the reason on stderr) whatever does not verify; it keeps nothing, so it knows no rollback.
import hashlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

from securesystemslib.formats import encode_canonical
from securesystemslib.keys import verify_signature

LIMIT = 8 * 1024 * 1024


def canonical(value):
    return encode_canonical(value).encode("utf-8")


def fetch(path):
    with urllib.request.urlopen(f"{base}/v1/{urllib.parse.quote(path)}") as answer:
        return answer.read(LIMIT)


def refuse(why):
    raise SystemExit(f"refused: {why}")


def verified(data, kind, delegator, role):
    """The signed part of a file that enough of the role's keys signed, in exactly canonical JSON."""
    file = json.loads(data)
    if canonical(file) != data:
        refuse(f"{kind} is not in canonical JSON")
    good = set()
    for signature in file["signatures"]:
        keyid = signature["keyid"]
        if keyid not in role["keyids"]:
            continue
        key = delegator["keys"][keyid]
        if hashlib.sha256(canonical(key)).hexdigest() != keyid:
            refuse(f"{keyid} is not its key's id")
        if verify_signature({**key, "keyid": keyid}, signature, canonical(file["signed"])):
            good.add(keyid)
    if len(good) < role["threshold"]:
        refuse(f"{kind} is signed by {len(good)} of {role['threshold']}")
    if file["signed"]["_type"] != kind:
        refuse(f"{kind} is of another type")
    return file["signed"]


def fresh(signed):
    expires = datetime.strptime(signed["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    if expires <= datetime.now(timezone.utc):
        refuse(f"{signed['_type']} expired at {signed['expires']}")
    return signed


def newest_root(data):
    pinned = json.loads(data)["signed"]
    root = verified(data, "root", pinned, pinned["roles"]["root"])
    while True:
        try:
            data = fetch(f"metadata/{root['version'] + 1}.root.json")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return fresh(root)
            raise
        candidate = verified(data, "root", root, root["roles"]["root"])
        verified(data, "root", candidate, candidate["roles"]["root"])
        if candidate["version"] != root["version"] + 1:
            refuse("a root's version is not the next one")
        root = candidate


def listed(role, kind, meta, delegator, keys):
    data = fetch(f"metadata/{meta['version']}.{role}.json")
    if "length" in meta and len(data) != meta["length"]:
        refuse(f"{role} has another length")
    if "hashes" in meta and hashlib.sha256(data).hexdigest() != meta["hashes"]["sha256"]:
        refuse(f"{role} has another sha256")
    signed = fresh(verified(data, kind, delegator, keys))
    if signed["version"] != meta["version"]:
        refuse(f"{role} is of another version")
    return signed


def bin_of(path, succinct):
    """TAP 15: the first bit_length bits of the path's sha256."""
    bits = succinct["bit_length"]
    number = int.from_bytes(hashlib.sha256(path.encode()).digest()[:4], "big") >> (32 - bits)
    return f"{succinct['name_prefix']}-{number:0{-(-bits // 4)}x}"


base, root_file, *wanted = sys.argv[1:]
with open(root_file, "rb") as stream:
    root = newest_root(stream.read())
timestamp = fresh(verified(fetch("metadata/timestamp.json"), "timestamp", root, root["roles"]["timestamp"]))
snapshot = listed("snapshot", "snapshot", timestamp["meta"]["snapshot.json"], root, root["roles"]["snapshot"])
targets = listed("targets", "targets", snapshot["meta"]["targets.json"], root, root["roles"]["targets"])
succinct = targets["delegations"]["succinct_roles"]
found = {}
for path in wanted:
    entry = targets["targets"].get(path)
    if entry is None:
        role = bin_of(path, succinct)
        meta = snapshot["meta"][f"{role}.json"]
        entry = listed(role, "targets", meta, targets["delegations"], succinct)["targets"].get(path)
    if entry is None:
        refuse(f"{path} is not listed")
    folder, slash, name = path.rpartition("/")
    data = fetch(f"targets/{folder}{slash}{entry['hashes']['sha256']}.{name}")
    if len(data) != entry["length"] or hashlib.sha256(data).hexdigest() != entry["hashes"]["sha256"]:
        refuse(f"{path} is not what is listed")
    found[path] = entry["hashes"]["sha256"]
print(json.dumps(found))
