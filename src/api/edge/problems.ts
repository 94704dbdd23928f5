import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  DomainError,
  describeError,
  type ErrorCode,
  type UnavailableCode,
  UnavailableError,
} from '../../domain/shared/errors.ts';
import { SAFE_HEADERS } from './safe-headers.ts';

/** What HTTP itself can be asked wrongly, before any rule of the business is reached. */
export type HttpCode =
  | 'api_key_missing'
  | 'api_key_invalid'
  | 'scope_missing'
  | 'session_over'
  | 'origin_refused'
  | 'request_invalid'
  | 'json_invalid'
  | 'url_invalid'
  | 'request_malformed'
  | 'host_not_allowed'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'body_too_large'
  | 'media_type_unsupported'
  | 'headers_too_large'
  | 'pipeline_too_long'
  | 'rate_limited'
  | 'overloaded'
  | 'internal_error';

export type ProblemCode = ErrorCode | UnavailableCode | HttpCode;

/** The HTTP face of every error. `satisfies` makes a code without a face a compile error. */
export const PROBLEMS = {
  school_not_found: { status: 404, title: 'School not found' },
  school_not_active: { status: 404, title: 'School is not active' },
  school_inactive: { status: 400, title: 'School is inactive' },
  school_already_active: { status: 400, title: 'School is already active' },
  school_already_inactive: { status: 404, title: 'School is already inactive' },
  school_has_students: { status: 400, title: 'School has students' },
  school_currency_locked: { status: 400, title: 'School currency cannot change' },
  school_name_taken: { status: 409, title: 'School name is taken' },
  school_prefixes_equal: { status: 422, title: 'School prefixes are equal' },
  school_timezone_unknown: { status: 422, title: 'School time zone is unknown' },
  student_not_found: { status: 404, title: 'Student not found' },
  student_email_taken: { status: 409, title: 'Student email is taken' },
  student_has_invoices: { status: 400, title: 'Student has invoices' },
  invoice_not_found: { status: 404, title: 'Invoice not found' },
  invoice_void: { status: 400, title: 'Invoice is void' },
  invoice_paid: { status: 400, title: 'Invoice is paid' },
  invoice_already_void: { status: 404, title: 'Invoice is already void' },
  invoice_currency_mismatch: { status: 400, title: 'Invoice currency is not the school currency' },
  invoice_amount_below_paid: { status: 400, title: 'Amount is below what is paid' },
  invoice_has_lines: { status: 400, title: 'Invoice has lines' },
  invoice_has_payments: { status: 400, title: 'Invoice has payments' },
  amount_not_whole: { status: 422, title: 'Amount is not whole' },
  payment_not_found: { status: 404, title: 'Payment not found' },
  payment_exceeds_pending: { status: 400, title: 'Payment exceeds the pending amount' },
  payment_already_reversed: { status: 400, title: 'Payment is already reversed' },
  payment_without_family: { status: 400, title: 'Payment is of no family' },
  payment_refunded: { status: 400, title: 'Payment was refunded' },
  allocation_invoice_repeated: { status: 422, title: 'Invoice is named more than once' },
  allocation_exceeds_unapplied: { status: 400, title: 'Allocation exceeds what is not applied' },
  allocation_exceeds_pending: { status: 400, title: 'Allocation exceeds the pending amount' },
  allocation_of_other_family: { status: 400, title: 'Invoice is of another family' },
  refund_exceeds_unapplied: { status: 400, title: 'Refund exceeds what is not applied' },
  release_exceeds_allocated: { status: 400, title: 'Release exceeds what lies on the invoice' },
  family_not_found: { status: 404, title: 'Family not found' },
  family_in_use: { status: 400, title: 'Family is in use' },
  family_external_id_taken: { status: 409, title: 'External id of the family is taken' },
  student_external_id_taken: { status: 409, title: 'External id of the student is taken' },
  guardian_not_found: { status: 404, title: 'Guardian not found' },
  credit_note_not_found: { status: 404, title: 'Credit note not found' },
  credit_note_already_reversed: { status: 400, title: 'Credit note is already reversed' },
  day_out_of_range: { status: 422, title: 'Day is out of range' },
  period_closed: { status: 400, title: 'Period is closed' },
  closing_not_found: { status: 404, title: 'Closing not found' },
  closing_out_of_order: { status: 400, title: 'Closing is out of order' },
  closing_not_newest: { status: 400, title: 'Closing is not the newest' },
  credit_exceeds_pending: { status: 400, title: 'Credit exceeds the pending amount' },
  period_not_found: { status: 404, title: 'Period not found' },
  period_name_taken: { status: 409, title: 'Period name is taken' },
  period_in_use: { status: 400, title: 'Period is in use' },
  concept_not_found: { status: 404, title: 'Concept not found' },
  concept_code_taken: { status: 409, title: 'Concept code is taken' },
  concept_in_use: { status: 400, title: 'Concept is in use' },
  plan_not_found: { status: 404, title: 'Plan not found' },
  plan_name_taken: { status: 409, title: 'Plan name is taken' },
  plan_in_use: { status: 400, title: 'Plan is in use' },
  plan_item_billed: { status: 400, title: 'Plan item was billed' },
  discount_not_found: { status: 404, title: 'Discount not found' },
  discount_code_taken: { status: 409, title: 'Discount code is taken' },
  discount_in_use: { status: 400, title: 'Discount is in use' },
  enrolment_not_found: { status: 404, title: 'Enrolment not found' },
  enrolment_exists: { status: 409, title: 'Student is enrolled in the period already' },
  enrolment_in_use: { status: 400, title: 'Enrolment is in use' },
  late_fee_policy_not_found: { status: 404, title: 'Late fee policy not found' },
  late_fee_policy_name_taken: { status: 409, title: 'Late fee policy name is taken' },
  late_fee_policy_in_use: { status: 400, title: 'Late fee policy is in use' },
  student_in_use: { status: 400, title: 'Student is enrolled' },
  plan_invalid: { status: 422, title: 'Plan is not valid' },
  discount_invalid: { status: 422, title: 'Discount is not valid' },
  late_fee_policy_invalid: { status: 422, title: 'Late fee policy is not valid' },
  billing_run_not_found: { status: 404, title: 'Billing run not found' },
  billing_run_in_progress: { status: 409, title: 'Billing run is in progress' },
  billing_run_already_void: { status: 400, title: 'Billing run is already void' },
  billing_preview_stale: { status: 409, title: 'Preview is out of date' },
  import_invalid: { status: 422, title: 'File is not valid' },
  document_too_long: { status: 422, title: 'Document is too long' },
  cursor_outdated: { status: 400, title: 'Cursor is outdated' },
  balance_pending: { status: 400, title: 'Balance is pending' },
  api_key_not_found: { status: 404, title: 'API key not found' },
  api_key_revoked: { status: 400, title: 'API key is revoked' },
  grant_exceeds_own: { status: 403, title: 'Nobody grants more than they have' },
  user_not_found: { status: 404, title: 'User not found' },
  user_email_taken: { status: 409, title: 'User email is taken' },
  user_disabled: { status: 400, title: 'User is disabled' },
  membership_repeated: { status: 422, title: 'School has two roles' },
  invitation_not_found: { status: 404, title: 'Invitation not found' },
  password_common: { status: 422, title: 'Password is too common' },
  link_not_found: { status: 404, title: 'Link not found' },
  link_over: { status: 403, title: 'Link is over' },
  credentials_wrong: { status: 403, title: 'E-mail or password is wrong' },
  sign_in_throttled: { status: 429, title: 'Too many failed sign-ins' },
  oidc_not_configured: { status: 404, title: 'No OpenID provider' },
  oidc_refused: { status: 403, title: 'Sign-in is not proven' },
  user_not_invited: { status: 403, title: 'User is not invited' },
  session_not_found: { status: 404, title: 'Nobody is signed in' },
  idempotency_key_reused: { status: 422, title: 'Idempotency-Key was used for another request' },
  idempotency_in_flight: { status: 409, title: 'Idempotency-Key is in use' },
  idempotency_answer_erased: { status: 409, title: 'The answer under this Idempotency-Key was erased' },
  database_unavailable: { status: 503, title: 'Database is unavailable' },
  database_busy: { status: 503, title: 'Database is busy' },
  database_full: { status: 503, title: 'Database is full' },
  outcome_unknown: { status: 503, title: 'Outcome is unknown' },
  identity_provider_unavailable: { status: 503, title: 'OpenID provider is unavailable' },
  api_key_missing: { status: 401, title: 'Missing API Key' },
  api_key_invalid: { status: 403, title: 'Invalid API Key' },
  scope_missing: { status: 403, title: 'Scope is missing' },
  session_over: { status: 401, title: 'Session is over' },
  origin_refused: { status: 403, title: 'Page of another site' },
  request_invalid: { status: 422, title: 'Request is not valid' },
  json_invalid: { status: 422, title: 'Body is not valid JSON' },
  url_invalid: { status: 400, title: 'URL is not valid' },
  request_malformed: { status: 400, title: 'Request is not HTTP' },
  host_not_allowed: { status: 421, title: 'Host is not allowed' },
  route_not_found: { status: 404, title: 'Route not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  not_acceptable: { status: 406, title: 'No acceptable representation' },
  request_timeout: { status: 408, title: 'Request took too long to arrive' },
  body_too_large: { status: 413, title: 'Body is too large' },
  media_type_unsupported: { status: 415, title: 'Media type is not supported' },
  headers_too_large: { status: 431, title: 'Headers are too large' },
  pipeline_too_long: { status: 429, title: 'Too many requests without waiting' },
  rate_limited: { status: 429, title: 'Too many requests' },
  overloaded: { status: 503, title: 'Server is overloaded' },
  internal_error: { status: 500, title: 'Internal server error' },
} as const satisfies Record<ProblemCode, { status: number; title: string }>;

/** One thing wrong with a request. `pointer` is a JSON pointer into the body, or `#/name` of a parameter. */
export type FieldError = Readonly<{ pointer: string; detail: string }>;

/** A request refused by HTTP's rules, not by those of the business. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: HttpCode;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: HttpCode,
    detail: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.code = code;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** How long a client should wait before it tries again, by what was wrong. */
export const RETRY_AFTER_SECONDS = {
  idempotency_in_flight: 1,
  database_unavailable: 2,
  database_busy: 1,
  database_full: 10,
  outcome_unknown: 2,
  identity_provider_unavailable: 5,
  overloaded: 1,
} as const satisfies Partial<Record<ProblemCode, number>>;

/** What Fastify refuses by itself, by its own code. */
const FRAMEWORK: Readonly<Record<string, readonly [code: HttpCode, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The body is larger than 64 KiB'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['media_type_unsupported', 'The body must be application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['json_invalid', 'The body has another length than Content-Length says'],
  FST_ERR_BAD_URL: ['url_invalid', 'The URL cannot be decoded'],
  FST_ERR_MAX_PARAM_LENGTH: ['route_not_found', 'There is nothing at this address'],
};

/** Turns everything thrown below the routes into an RFC 9457 problem document. The only error handler there is. */
export function problemHandler(log: { error(facts: object, event: string): void }) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const error = isCutOff(thrown, request) ? CUT_OFF : known(thrown);
    if (error instanceof HttpError && error.code === 'internal_error') {
      log.error({ request_id: request.id, error: describeError(thrown) }, 'request_failed');
    }
    sendProblem(error, request, reply);
  };
}

/** Nobody is left to read it: it only says in the log that the request was at fault. */
const CUT_OFF = new HttpError('request_malformed', 'The connection ended before the body did');

/** Whether the client hung up while it was still sending: then Node destroys the request with just this error. */
function isCutOff(thrown: unknown, { raw }: FastifyRequest): boolean {
  return thrown === raw.errored && raw.errored !== null;
}

export function sendProblem(
  error: DomainError | UnavailableError | HttpError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { status } = PROBLEMS[error.code];
  if (error instanceof HttpError) reply.headers(error.headers);
  const waits: Partial<Record<ProblemCode, number>> = RETRY_AFTER_SECONDS;
  const retryAfter = error instanceof DomainError ? error.facts['retry_after_seconds'] : undefined;
  const wait = retryAfter ?? waits[error.code];
  if (wait !== undefined) reply.header('retry-after', String(wait));
  // A request that is refused before its body was read leaves the rest of it on the wire.
  if (status === 413 || status === 408) reply.header('connection', 'close');
  reply
    .code(status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(toProblem(error, request)));
}

/** Answers with a problem document where no hook of Fastify's runs: in front of its routing. */
export function writeProblem(
  response: ServerResponse,
  problem: Readonly<{ code: ProblemCode; detail: string; url: string; id: string; headers: Record<string, string> }>,
): void {
  const { code, detail, headers, ...request } = problem;
  const text = JSON.stringify(problemBody(code, detail, request));
  response.writeHead(PROBLEMS[code].status, {
    ...SAFE_HEADERS,
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(text),
    'x-request-id': request.id,
    ...headers,
  });
  response.end(text);
}

function toProblem(error: DomainError | UnavailableError | HttpError, request: FastifyRequest): object {
  const errors = (error instanceof HttpError ? error.errors : undefined) ?? fieldErrorsOf(error, request);
  return {
    ...problemBody(error.code, error.message, request),
    ...(error instanceof DomainError ? error.facts : {}),
    ...(errors === undefined ? {} : { errors }),
  };
}

/** The members every problem has. `instance` is the path alone: a query string may hold what does not belong in logs. */
export function problemBody(code: ProblemCode, detail: string, { url, id }: { url: string; id: string }): object {
  const { status, title } = PROBLEMS[code];
  return { type: `/problems/${code}`, title, status, detail, code, instance: url.split('?', 1)[0], request_id: id };
}

/** The fields a rule that answers 422 can turn on, the most telling first. */
const FIELDS_OF_RULE: Partial<Record<ProblemCode, readonly string[]>> = {
  day_out_of_range: ['issued_on', 'paid_at', 'reversed_on', 'dated_on', 'voided_on', 'ends_on', 'starts_on'],
  amount_not_whole: ['amount_total', 'amount', 'items', 'steps', 'cap_amount', 'early_discounts'],
  plan_invalid: ['items', 'early_discounts'],
  discount_invalid: ['from_child', 'kind'],
  late_fee_policy_invalid: ['steps', 'percent', 'amount', 'kind'],
  school_prefixes_equal: ['invoice_prefix', 'receipt_prefix', 'credit_note_prefix', 'refund_prefix'],
  school_timezone_unknown: ['timezone'],
  membership_repeated: ['memberships'],
  password_common: ['password'],
};

/** What a 422 points to that turns on no field of the body: all of it, a header, a parameter. */
const POINTERS: Partial<Record<ProblemCode, string>> = {
  json_invalid: '#',
  idempotency_key_reused: '#/idempotency-key',
  document_too_long: '#/format',
};

/** A 422 that no schema gives points to what is to be mended like any other. */
function fieldErrorsOf(
  error: DomainError | UnavailableError | HttpError,
  request: FastifyRequest,
): FieldError[] | undefined {
  const pointer = POINTERS[error.code];
  if (pointer !== undefined) return [{ pointer, detail: error.message }];
  const fields = FIELDS_OF_RULE[error.code];
  if (fields === undefined) return undefined;
  const { body } = request;
  const field = fields.find((name) => typeof body === 'object' && body !== null && name in body) ?? fields[0];
  return [{ pointer: `#/${field}`, detail: error.message }];
}

function known(thrown: unknown): DomainError | UnavailableError | HttpError {
  if (thrown instanceof DomainError || thrown instanceof UnavailableError || thrown instanceof HttpError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const framework = FRAMEWORK[code];
  return framework === undefined
    ? new HttpError('internal_error', 'Something went wrong on our side. The request_id names it in our logs.')
    : new HttpError(...framework);
}
