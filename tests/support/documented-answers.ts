import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FastifyInstance } from 'fastify';
import type { Answer as Documented, OpenApiDocument, Operation, Schema } from '../../scripts/openapi-document.ts';
import { targetOf } from '../../scripts/openapi-references.ts';
import { FORMATS } from '../../src/api/edge/validation.ts';
import type { Config } from '../../src/config.ts';

/** What went over the wire, as far as it is compared with the document. */
export type Exchange = Readonly<{
  method: string;
  /** Path and query. */
  url: string;
  status: number;
  headers: Readonly<Record<string, unknown>>;
  text: string;
}>;

/** What is refused before it is known which operation is meant: no operation lists these. */
const OF_ANY_ADDRESS: ReadonlySet<unknown> = new Set([
  'host_not_allowed',
  'url_invalid',
  'route_not_found',
  'request_malformed',
  'request_timeout',
  'headers_too_large',
]);

/**
 * Holds real answers against the OpenAPI document. Fields that the document does not know are as wrong as fields that
 * are missing: otherwise nobody would notice that it was not told of a new one.
 */
export class DocumentedAnswers {
  readonly #document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #routes: readonly (readonly [pattern: RegExp, item: Readonly<Record<string, Operation>>])[];
  /** One per schema, made when first needed: most answers of a status are the same component in all operations. */
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#routes = Object.entries(document.paths).map(([path, item]) => [
      new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      item,
    ]);
    for (const [name, [isOfForm]] of Object.entries(FORMATS)) this.#ajv.addFormat(name, isOfForm);
    this.#ajv.addSchema({ $id: 'document', components: closed(document.components) });
  }

  /** @throws Error that names what the document does not say of this answer */
  check(exchange: Exchange): void {
    const violations = this.violations(exchange);
    if (violations.length > 0) throw new Error(`not as documented:\n${violations.join('\n')}`);
  }

  /** What the document does not say of this answer; nothing for addresses and methods that it leaves out. */
  violations({ method, url, status, headers, text }: Exchange): string[] {
    const [path = ''] = url.split('?', 1);
    const verb = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    const operation = this.#routes.find(([pattern]) => pattern.test(path))?.[1][verb];
    if (operation === undefined) return [];
    const where = `${method} ${path} ${status}`;
    const [type = ''] = String(headers['content-type'] ?? '').split(';', 1);
    const given = operation.responses[String(status)];
    if (status >= 400 && given === undefined && OF_ANY_ADDRESS.has(codeIn(text))) return [];
    if (given === undefined) return [`${where} is not documented: ${text.slice(0, 300)}`];
    const answer = this.#resolved(given);
    if (answer.content === undefined) return text === '' ? [] : [`${where} has a body, but none is documented`];
    if (Object.values(operation['x-files'] ?? {}).includes(type) && status === 200) return [];
    const schema = answer.content[type]?.schema;
    if (schema === undefined) return [`${where} answers with ${type}, which is not documented`];
    if (method === 'HEAD' || !/json$/.test(type)) return [];
    const wrong = this.#invalid(schema, JSON.parse(text), where);
    const code = codeIn(text);
    const isPromised = status < 400 || [...OF_ANY_ADDRESS, ...(operation['x-problem-codes'] ?? [])].includes(code);
    return isPromised ? wrong : [...wrong, `${where} has the code ${String(code)}, which it does not list`];
  }

  #resolved(answer: Documented & { $ref?: string }): Documented {
    return answer.$ref === undefined ? answer : Object(targetOf(this.#document, answer.$ref));
  }

  #invalid(schema: Schema, body: unknown, where: string): string[] {
    const key = JSON.stringify(schema);
    const validate = this.#validators.get(key) ?? this.#ajv.compile(absolute(closed(schema)));
    this.#validators.set(key, validate);
    if (validate(body) === true) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${where} ${instancePath} ${message}: ${JSON.stringify(params)}`,
    );
  }
}

const byDocument = new Map<string, DocumentedAnswers>();
const byConfiguration = new Map<string, DocumentedAnswers>();

/**
 * Of the document that a server would serve, without asking it: no request of a test is counted or logged for it. Servers
 * of one process with the same configuration share them, and so do those with the same document: to make one, or to compile
 * it, takes longer than most tests.
 */
export function documentedAnswersOf(app: FastifyInstance, config: Config): DocumentedAnswers {
  const configured = inspect(config, { depth: null, maxArrayLength: null, maxStringLength: null });
  const known = byConfiguration.get(configured);
  if (known !== undefined) return known;
  const text = JSON.stringify(app.swagger());
  const answers = byDocument.get(text) ?? new DocumentedAnswers(JSON.parse(text));
  byDocument.set(text, answers);
  byConfiguration.set(configured, answers);
  return answers;
}

function codeIn(text: string): unknown {
  return text.startsWith('{') ? JSON.parse(text).code : undefined;
}

/** The document as it is committed: what servers in processes of their own serve. */
export function committedDocument(): OpenApiDocument {
  return JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'));
}

/** A copy whose objects take no other fields than those they list. */
function closed<T>(value: T): T {
  const close = (given: unknown, name: string): unknown => {
    if (Array.isArray(given)) return given.map((one) => close(one, ''));
    if (typeof given !== 'object' || given === null) return given;
    const members = Object.fromEntries(Object.entries(given).map(([key, member]) => [key, close(member, key)]));
    const isOpen = !('properties' in given) || 'additionalProperties' in given || name === 'properties';
    return isOpen ? members : { ...members, additionalProperties: false };
  };
  return Object(close(value, ''));
}

function absolute(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"document#/'));
}
