import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TProperties } from 'typebox';
import type { JsonObject } from '../domain/access/audit.ts';
import type { ExportedForm, ExportedList } from '../domain/access/people-events.ts';
import type { ExportedFile, ExportService } from '../services/access/export-service.ts';
import type { ClientAddresses } from './edge/load/client-address.ts';
import { RateWindows } from './edge/rate-limit.ts';
import { ACCOUNTS } from './schemas/common.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Keeps in the audit log that this request is given a file of people. Call it before the first byte of that goes out.
     * Of who has no key, and so is nobody the log could name, so many a minute are kept.
     *
     * @throws UnavailableError where it cannot be kept
     */
    keepExport(file: ExportedFile): Promise<void>;
  }
}

/** In a minute, of one address: each writes a row, and whoever needs no key for it could fill the disk. */
const WITHOUT_KEY_MAX = 50;

/** Gives every request the way to keep what it is given. */
export function keepExports(
  app: FastifyInstance,
  { exports, addresses }: Readonly<{ exports: ExportService; addresses: ClientAddresses }>,
): void {
  const withoutKey = new RateWindows();
  app.decorateRequest('keepExport', async function (this: FastifyRequest, file: ExportedFile): Promise<void> {
    if (this.actor.kind === 'anonymous') {
      const { count } = withoutKey.count(addresses.of(this.raw), performance.now());
      if (count > WITHOUT_KEY_MAX) return;
    }
    await exports.keep(this.actor, file);
  });
}

/** The files of an operation that are exports of personal data (docs/privacy.md). Without it, none is. */
export type PersonalData<Filter> = Readonly<{
  /** What they list. */
  of: ExportedList;
  /** The forms in which people are named. Absent: in all of them. */
  forms?: readonly ExportedForm[];
  /** Whether what is asked for is the account of one student or family, which is no export. Absent: it never is. */
  isOneAccount?: (filter: Filter) => boolean;
}>;

/** How a file is written, which decides nothing about who is in it. */
const OF_THE_FORM: ReadonlySet<string> = new Set(['format', 'delimiter', 'decimal', 'lang']);

/**
 * What is to be kept of a file; undefined for one that is no export of personal data, and for HEAD, which gives nothing out.
 *
 * @param parameters of the query, by which it is told what somebody typed
 */
export function exportOf<Filter>(
  personalData: PersonalData<Filter> | undefined,
  { request, filter, form }: Readonly<{ request: FastifyRequest; filter: Filter; form: ExportedForm }>,
  parameters: TProperties,
): ExportedFile | undefined {
  if (personalData === undefined || request.method === 'HEAD') return undefined;
  const { of, forms = [form], isOneAccount = () => false } = personalData;
  // Whatever a family's link is shown of accounts is one family's.
  const isAccount = personalData.isOneAccount !== undefined && request.actor.kind === 'link';
  if (!forms.includes(form) || isAccount || isOneAccount(filter)) return undefined;
  return { of, form, filters: { ...idInPath(request), ...toldFilters(parameters, Object(request.query)) } };
}

const TOLD_FORMATS: ReadonlySet<unknown> = new Set(['date', 'date-time', 'date-or-date-time']);

/** Ids, days, numbers and states with their values; of what somebody typed, that they did. */
function toldFilters(parameters: TProperties, query: Readonly<Record<string, unknown>>): JsonObject {
  const given = Object.entries(query).filter(([name, value]) => value !== undefined && !OF_THE_FORM.has(name));
  return Object.fromEntries(given.map(([name, value]) => [name, toldValue(parameters[name], value)]));
}

function toldValue(schema: object = {}, value: unknown): JsonObject[string] {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  const { format, enum: states }: Readonly<{ format?: unknown; enum?: unknown }> = schema;
  const isTold = states !== undefined || TOLD_FORMATS.has(format);
  return isTold && typeof value === 'string' ? value : 'set';
}

/** That of `/families/{id}/guardians` is a `family_id`. */
function idInPath({ routeOptions: { url = '' }, params }: FastifyRequest): JsonObject {
  const { id }: Readonly<{ id?: unknown }> = Object(params);
  const kind = Object.entries(ACCOUNTS).find(([, path]) => url.includes(`/${path}/:id/`))?.[0];
  return kind === undefined || typeof id !== 'number' ? {} : { [`${kind}_id`]: id };
}
