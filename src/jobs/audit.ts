import type { AuditSealer } from '../services/access/audit-sealer.ts';
import type { Job } from './runner.ts';

/** Seals the audit log. The log line tells the newest seal: kept elsewhere, it proves the entries before it. */
export function auditJob(sealer: AuditSealer): Job {
  return {
    name: 'audit',
    intervalMs: 60_000,
    leaseMs: 60_000,
    run: async (signal) => {
      const { sealed, forgotten, seal } = await sealer.run(signal);
      return sealed + forgotten === 0 ? undefined : { sealed, forgotten, seal };
    },
  };
}
