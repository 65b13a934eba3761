// Writes refusals of known tokens to the audit log. Successes are written inside the operation's own transaction.
// Refuses to log anonymous requests: whoever has no token could otherwise fill the disk.
import { RegistryError } from "../api/errors.ts";
import type { AuditRecord } from "../ports/metadata-store.ts";
import type { RegistryContext } from "./registry-context.ts";

export type AuditSubject = Pick<AuditRecord, "verb" | "name" | "version" | "sha256">;

/** Records that `error` ended `subject`; never throws, since the caller has the more important error in hand. */
export async function auditRefusal(
	registry: RegistryContext,
	subject: AuditSubject & { tokenId?: string },
	error: unknown,
): Promise<void> {
	const known = error instanceof RegistryError ? error : undefined;
	const tokenId = subject.tokenId ?? known?.details["tokenId"];
	if (typeof tokenId !== "string") return;
	const { verb, name, version, sha256 } = subject;
	const outcome = known?.code ?? "REGISTRY_INTERNAL";
	try {
		await registry.metadata.transaction((tx) =>
			tx.appendAudit({ at: registry.now().toISOString(), tokenId, verb, name, version, sha256, outcome }),
		);
	} catch (cause) {
		registry.report({ event: "audit-failed", message: String(cause), details: { tokenId, verb, outcome } });
	}
}
