/* SPDX-License-Identifier: Apache-2.0 */
/* The closed table of everything kfn-load can answer instead of a result. Exit: 1 refused, 2 usage, 3 security, 70 our bug. */
#ifndef KFN_ERRORS_H
#define KFN_ERRORS_H

#define LOAD_ERRORS(X) \
	X(LOAD_USAGE, 2, "the command line does not fit the documented commands") \
	X(LOAD_INTERNAL, 70, "a bug in kfn-load, or the machine is out of memory") \
	X(LOAD_LOCK_HELD, 1, "another process holds the host lock") \
	X(LOAD_FILE_UNREADABLE, 1, "a file is missing, is not a plain file, is reached through a symlink, or cannot be read") \
	X(LOAD_FILE_TOO_LARGE, 1, "a file is larger than its format allows") \
	X(LOAD_PLAN_INVALID, 1, "the plan does not follow docs/formats/plan.md") \
	X(LOAD_MANIFEST_DIGEST, 3, "the manifest's bytes are not those that the plan names") \
	X(LOAD_MANIFEST_INVALID, 1, "the signed manifest does not follow its format") \
	X(LOAD_MANIFEST_MISMATCH, 3, "the manifest describes something else than the plan asks for") \
	X(LOAD_PUBLISHERS_INVALID, 3, "the list of trusted publishers does not follow its format") \
	X(LOAD_PUBLISHERS_NO_MATCH, 3, "no trusted publisher may sign this bundle name") \
	X(LOAD_SIGNATURE_MISSING, 3, "the bundle carries no signature") \
	X(LOAD_SIGNATURE_MALFORMED, 3, "the signature file does not follow its format") \
	X(LOAD_SIGNATURE_REVOKED_KEY, 3, "a signature is by a revoked key, and its publisher does not vouch for this manifest") \
	X(LOAD_SIGNATURE_UNKNOWN_KEY, 3, "a signature is by a key that is not the publisher's") \
	X(LOAD_SIGNATURE_INVALID, 3, "a signature does not fit the manifest's bytes") \
	X(LOAD_SIGNATURE_REPEATED, 3, "a key signs more than once") \
	X(LOAD_SIGNATURE_THRESHOLD, 3, "fewer keys signed than the publisher's threshold demands") \
	X(LOAD_KERNEL_SIGNATURE_MALFORMED, 3, "the file of signatures for the kernel does not follow its format") \
	X(LOAD_KERNEL_SIGNATURE_REJECTED, 3, "the kernel has the signer's key, and the signature is not of the program's instructions") \
	X(LOAD_FILE_DIGEST, 3, "a stored file's size or digest is not the manifest's") \
	X(LOAD_TAG_MISMATCH, 3, "the tag is not the hash of the manifest's source files") \
	X(LOAD_OBJECT_INVALID, 1, "the object is not a BPF object that agrees with its manifest") \
	X(LOAD_NOTE_MISMATCH, 3, "the object's .note.kfn does not say what the manifest requires") \
	X(LOAD_INSNS_DIGEST, 3, "the program's instructions are not those that the manifest names") \
	X(LOAD_UNSUPPORTED_PROGRAM, 1, "this loader does not handle this program type, hook or number of programs") \
	X(LOAD_UNSUPPORTED_MAP, 1, "the object has a map with contents, flags or a type that functions may not have, or kept state") \
	X(LOAD_UNSUPPORTED_CONFIG, 1, "a parameter is not one of the function, or has a value that it does not take") \
	X(LOAD_UNSUPPORTED_KERNEL, 1, "no variant of the bundle fits this kernel") \
	X(LOAD_REVOKED, 3, "the publisher revoked this tag or build: it is not loaded") \
	X(LOAD_REVOKED_INVALID, 3, "what this host remembers of revocations cannot be read, so that nothing is loaded") \
	X(LOAD_NO_PRIVILEGE, 1, "the kernel or a file mode refuses this to the calling user") \
	X(LOAD_KERNEL_REFUSED, 1, "a bpf() call failed; details.errno says how") \
	X(LOAD_VERIFIER_REJECTED, 1, "the kernel's verifier rejected the program; details.verifierLog has the end of its log") \
	X(LOAD_TAG_UNEXPECTED, 3, "the kernel reports another program tag than the instructions have") \
	X(LOAD_VECTORS_INVALID, 1, "a vector file does not follow its format") \
	X(LOAD_VECTOR_FAILED, 1, "the loaded program answers a test vector wrongly") \
	X(LOAD_BPFFS_NOT_MOUNTED, 1, "no bpffs is mounted where pins go") \
	X(LOAD_NETNS_GONE, 1, "the scope's file does not exist or is not a network namespace") \
	X(LOAD_DEVICE_GONE, 1, "the scope's device does not exist in its network namespace") \
	X(LOAD_DEVICE_UNFIT, 1, "the device is not one of the kind that the bundle demands") \
	X(LOAD_EXPERIMENTAL, 1, "the bundle's publisher calls it experimental, and the plan does not say that it is wanted all the same") \
	X(LOAD_FOREIGN_PROGRAM, 1, "a program that kfn did not attach holds the hook") \
	X(LOAD_HOOK_TAKEN, 1, "two functions of the plan need the same hook of one network namespace") \
	X(LOAD_SCOPE_OVERLAP, 1, "two patterns of one function can match the same network namespace") \
	X(LOAD_SCOPE_UNSUPPORTED, 1, "the function is not attached to scopes of this kind") \
	X(LOAD_SCOPE_CONFLICT, 1, "a dissector in the root namespace and one in another namespace exclude each other") \
	X(LOAD_PROGRAM_CHANGED, 1, "somebody else changed the program behind kfn's link") \
	X(LOAD_PIN_INVALID, 1, "something under the pins folder is not a pin of kfn's layout") \
	X(LOAD_PIN_FAILED, 1, "a pin could not be made, renamed or removed") \
	X(LOAD_NOT_ACTIVE, 1, "this function is not active in this scope") \
	X(LOAD_BOOT_INCOMPLETE, 1, "the boot went on without something of the generation; details.boot says what") \
	X(LOAD_STATE_UNWRITABLE, 1, "a file of the host's state could not be written") \
	X(LOAD_LSM_INACTIVE, 1, "the kernel does not ask BPF LSM programs, so that lockdown would forbid nothing") \
	X(LOAD_LOCKDOWN_INVALID, 1, "lockdown.json does not follow docs/formats/lockdown.md") \
	X(LOAD_LOCKDOWN_FILE, 1, "this kfn-load cannot be known by its file, which others than root may write") \
	X(LOAD_NO_WIRE, 1, "what is sent out of one port does not arrive at the other") \
	X(LOAD_REPLAY_INPUT, 2, "the packets on stdin do not follow the replay format") \
	X(LOAD_FAULT, 70, "a fault point of a test build fired")

enum load_code {
#define X(name, exit_code, means) name,
	LOAD_ERRORS(X)
#undef X
};

#endif
