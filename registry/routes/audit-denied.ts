// Notes in the audit log when a known token was turned away before the operation began. Refuses to change the outcome.
import { type AuditSubject, auditRefusal } from "../ops/audit.ts";
import type { RegistryContext } from "../ops/registry-context.ts";

export async function auditDenied<T>(
	registry: RegistryContext,
	subject: Omit<AuditSubject, "sha256">,
	authorize: () => Promise<T>,
): Promise<T> {
	try {
		return await authorize();
	} catch (error) {
		await auditRefusal(registry, { ...subject, sha256: null }, error);
		throw error;
	}
}
