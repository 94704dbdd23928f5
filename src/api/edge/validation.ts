import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import { Type } from 'typebox';
import { isPercent } from '../../domain/plans/percent.ts';
import { isCalendarDate, isTimestamp } from '../../domain/shared/calendar.ts';
import { isCountry, isCurrency } from '../../domain/shared/iso.ts';
import { AMOUNT_MAX, isAmount } from '../../domain/shared/money.ts';
import { isEmail, isStorable, isVisible } from '../../domain/shared/text.ts';
import { STRICT } from '../schemas/common.ts';
import { type FieldError, HttpError } from './problems.ts';
import { isBelow } from './route-hooks.ts';

/**
 * Fastify's own validator coerces and trims everywhere: it takes the number 10.55 for the text "10.55" (and refuses
 * 10.50), and it drops a misspelt field without a word. A JSON body has types of its own, so it is taken at its word; a
 * path and a query string are text, so exactly the texts that are integers and booleans are read as such, below.
 */
const OPTIONS = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  strict: true,
  allowUnionTypes: true,
  // An error then carries the schema it comes from, and with it what to tell of a pattern.
  verbose: true,
  // The names that schemas have in the OpenAPI document are no addresses here.
  addUsedSchema: false,
};
/** The one finds everything wrong, the other stops at the first: each error is an object of some size. */
const ajvs = { all: new Ajv({ ...OPTIONS, allErrors: true }), first: new Ajv(OPTIONS) };

/** Errors that are told; who mends them will see the others. */
const ERRORS_MAX = 20;
/** Members of a body, nested ones included, up to which everything wrong with it is looked for. */
const MEMBERS_MAX = 200;
/** Characters of a field's name that are repeated to whoever sent it. */
const NAME_LENGTH_MAX = 100;

/** Formats by name, and what a value that has not the form is told. */
export const FORMATS: Readonly<Record<string, readonly [test: (text: string) => boolean, detail: string]>> = {
  date: [isCalendarDate, 'must be a calendar date, YYYY-MM-DD'],
  'date-time': [isTimestamp, 'must be a timestamp with offset, such as 2026-01-31T12:00:00Z'],
  'date-or-date-time': [
    (text) => isCalendarDate(text) || isTimestamp(text),
    'must be a calendar date, YYYY-MM-DD, or a timestamp with offset, such as 2026-01-31T12:00:00Z',
  ],
  email: [isEmail, 'must be an email address'],
  country: [
    (text) => /^[A-Za-z]{2}$/.test(text) && isCountry(text.toUpperCase()),
    'must be an ISO 3166-1 alpha-2 code',
  ],
  currency: [
    (text) => /^[A-Za-z]{3}$/.test(text) && isCurrency(text.toUpperCase()),
    'must be an ISO 4217 code of a currency in use',
  ],
  timezone: [isTimezone, 'must be an IANA time zone, such as America/Bogota'],
};

const AMOUNT_DETAIL = `must be an amount from 0.01 to ${AMOUNT_MAX} with at most two decimals`;
for (const ajv of [ajvs.all, ajvs.first]) {
  for (const [name, [validate]] of Object.entries(FORMATS)) ajv.addFormat(name, validate);
  ajv.addVocabulary(['x-pattern-detail']);
  ajv.addKeyword({
    keyword: 'x-days',
    type: 'string',
    schemaType: 'array',
    // Dates written YYYY-MM-DD are in order of their text.
    validate: ([first, last]: [string, string], value: string) => value >= first && value <= last,
  });
  ajv.addKeyword({
    keyword: 'x-amount',
    schemaType: 'boolean',
    // A JSON number is taken by its shortest decimal text, which is exact for every amount in range.
    validate: (_: boolean, value: unknown) => value === null || isAmount(textOf(value)),
  });
  ajv.addKeyword({
    keyword: 'x-percent',
    schemaType: 'string',
    validate: (least: string, value: unknown) =>
      value === null || (isPercent(textOf(value)) && (least === 'zero' || /[1-9]/.test(textOf(value)))),
  });
  ajv.addKeyword({
    keyword: 'x-visible',
    type: 'string',
    schemaType: 'boolean',
    validate: (_: boolean, value: string) => isVisible(value),
  });
  ajv.addKeyword({
    keyword: 'x-text',
    type: 'string',
    schemaType: 'boolean',
    validate: (_: boolean, value: string) => isStorable(value),
  });
}

/** A decimal number as a client wrote it; what is none has no text. */
function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Keywords of this validator, which mean nothing to others: the OpenAPI document leaves them out. */
export const OWN_KEYWORDS: ReadonlySet<string> = new Set([
  'x-amount',
  'x-percent',
  'x-text',
  'x-visible',
  'x-days',
  'x-pattern-detail',
]);

/** Compiles at the first request instead of at the start: most processes serve few of the routes in their first second. */
export const compileValidator: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const validators = new Map<keyof typeof ajvs, ValidateFunction>();
  const types = httpPart === 'body' || httpPart === undefined ? undefined : typesOf(schema);
  return (data: unknown) => {
    const value = types === undefined ? data : readTexts(data, types);
    const howMany = countMembers(data, MEMBERS_MAX + 1) > MEMBERS_MAX ? 'first' : 'all';
    const validate = validators.get(howMany) ?? ajvs[howMany].compile(withoutNames(schema));
    validators.set(howMany, validate);
    if (validate(value)) return { value };
    const errors = toFieldErrors(validate.errors ?? [], types === undefined ? detailOf : detailOfText);
    return { error: new HttpError('request_invalid', 'The request has invalid fields', { errors }) };
  };
};

/** A schema without the names that its parts have in the OpenAPI document: a part that is there twice has its name twice. */
function withoutNames(schema: object): object {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key === '$id' ? undefined : value)));
}

/** Members of all objects and arrays in `data`, which may be nested deeper than calls can be; `enough` at the most. */
function countMembers(data: unknown, enough: number): number {
  const open = [data];
  let count = 0;
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one !== 'object' || one === null) continue;
    for (const name in one) {
      count += 1;
      if (count >= enough) return enough;
      open.push(Reflect.get(one, name));
    }
  }
  return count;
}

const NO_PARAMETERS = Type.Object({}, STRICT);

/** What takes no query parameters refuses them all, as the rest refuses those it does not know (docs/decisions/0011). */
export function refuseUnknownParameters(app: FastifyInstance, prefix: string): void {
  app.addHook('onRoute', (route) => {
    if (isBelow(prefix, route)) route.schema = { querystring: NO_PARAMETERS, ...route.schema };
  });
}

type Types = ReadonlyMap<string, unknown>;

function typesOf(schema: object): Types {
  const properties = 'properties' in schema && typeof schema.properties === 'object' ? schema.properties : {};
  return new Map(
    Object.entries(properties ?? {}).map(([name, property]) => [name, (property as { type?: unknown }).type]),
  );
}

/** Of any size: every schema has bounds within those of exact numbers, and says so better than that this is no integer. */
const INTEGER = /^(0|-?[1-9]\d*)$/;

/** Reads the texts of a path or query string by the types their schema asks for; what does not fit stays as it is. */
function readTexts(data: unknown, types: Types): unknown {
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, readText(text, types.get(name))]));
}

function readText(text: unknown, type: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (type === 'integer' && INTEGER.test(text)) return Number(text);
  return text;
}

/** At most one error for a field: the first is the one to fix. */
function toFieldErrors(errors: readonly ErrorObject[], detail: (error: ErrorObject) => string): FieldError[] {
  const byPointer = new Map<string, FieldError>();
  for (const error of errors) {
    const pointer = pointerOf(error);
    if (!byPointer.has(pointer)) byPointer.set(pointer, { pointer, detail: detail(error) });
    if (byPointer.size === ERRORS_MAX) break;
  }
  return [...byPointer.values()];
}

function pointerOf({ instancePath, keyword, params }: ErrorObject): string {
  const field = keyword === 'required' ? params['missingProperty'] : params['additionalProperty'];
  return `#${instancePath}${field === undefined ? '' : `/${escapePointer(shortened(String(field)))}`}`;
}

export function shortened(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : `${name.slice(0, NAME_LENGTH_MAX)}…`;
}

/** RFC 6901. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

const READ_ONLY = new Set([
  'id',
  'number',
  'status',
  'is_active',
  'issued_at',
  'created_at',
  'updated_at',
  'school_id',
  'student_id',
  'currency',
  'paid',
  'pending',
  'credited',
  'voided_at',
  'void_reason',
  'reversed_at',
  'reversal_reason',
]);

/** In a query only a parameter that is there more than once is an array, and nothing is set. */
function detailOfText(error: ErrorObject): string {
  if (Array.isArray(error.data)) return 'must be given once';
  return error.keyword === 'additionalProperties' ? 'is an unknown parameter' : detailOf(error);
}

function detailOf({ keyword, params, message, parentSchema }: ErrorObject): string {
  if (keyword !== 'type' && parentSchema?.['x-amount'] === true) return AMOUNT_DETAIL;
  if (keyword !== 'type' && parentSchema?.['x-percent'] !== undefined) return percentDetail(parentSchema['x-percent']);
  switch (keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return READ_ONLY.has(String(params['additionalProperty']))
        ? 'cannot be set here'
        : 'is not a field of this request';
    case 'format':
      return FORMATS[String(params['format'])]?.[1] ?? 'has the wrong form';
    case 'x-visible':
      return 'must have at least one visible character';
    case 'x-days':
      return `must be from ${parentSchema?.['x-days']?.[0]} to ${parentSchema?.['x-days']?.[1]}`;
    case 'x-text':
      return 'must not contain NUL or unpaired surrogates';
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`;
    case 'pattern':
      return String(parentSchema?.['x-pattern-detail'] ?? 'has the wrong form');
    case 'type':
      if (params['type'] === 'boolean') return 'must be true or false';
      return `must be ${[params['type']].flat().map(String).join(' or ')}`;
    default:
      return message ?? 'is not valid';
  }
}

function percentDetail(least: string): string {
  return `must be a percentage from ${least === 'zero' ? '0' : '0.01'} to 100 with at most two decimals`;
}

function isTimezone(name: string): boolean {
  // Intl knows aliases and offsets too ("+05:00"), so only IANA's form is taken. Which names PostgreSQL knows, it says
  // itself: `school_timezone_unknown`.
  if (!/^(UTC|[A-Za-z]+(\/[A-Za-z0-9_+-]+){1,2})$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone.length > 0;
  } catch {
    return false;
  }
}
