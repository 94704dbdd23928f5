import type { FastifyInstance } from 'fastify';
import type { AuditService } from '../../../services/access/audit-service.ts';
import { list } from '../../endpoint.ts';
import { tableName } from '../../responses/table.ts';
import { AuditEntryResponse, AuditQuery } from '../../schemas/access/audit.ts';
import { CSV_COLUMNS } from '../../schemas/csv-columns.ts';

export function auditRoutes(routes: FastifyInstance, audit: AuditService): void {
  list(routes, '/audit', {
    tag: 'access',
    id: 'listAuditEntries',
    scope: 'audit:read',
    summary: 'List who did what, newest first',
    description:
      'An entry is written with the change it tells of, and never changed; after a minute or two it is sealed. Entries are kept for five years.',
    row: AuditEntryResponse,
    query: AuditQuery,
    filter: ({ query: { school_id: schoolId, principal_id: principalId, action, object, from, to } }) => ({
      schoolId,
      principalId,
      action,
      object,
      from,
      to,
    }),
    order: ['id'],
    page: async (actor, filter, page, count) => await audit.list(actor, filter, page, count),
    rows: async (actor, filter) => await audit.stream(actor, filter),
    columns: CSV_COLUMNS.audit,
    fileName: (filter) => tableName('audit', filter),
  });
}
