import { requestText } from '../server.ts';

/** Answers per second at 1 and 16 clients. */
type Figures = Readonly<{ 1: number; 16: number }>;

export type Case = Readonly<{
  name: string;
  title: string;
  /** Connections, where they are not those of the options. */
  clients?: readonly number[];
  /** The Python implementation of the same API, measured on another day and machine: see GOALS in README.md. */
  reference?: Figures;
  /** What was measured beside the reference, on its machine: the same kind of limit as that of this run. */
  limitThere?: Figures & Readonly<{ of: 'sql' | 'sqlRoute' | 'bodyRoute' }>;
  /** How many times the reference it is to be. */
  goal?: Figures;
  /** Share it is to reach of the same SQL behind a bare Fastify route. */
  limitGoal?: number;
  /** Longest time an answer may take, where the reference has nothing of the kind: `of` all answers at that many clients. */
  goalMs?: Readonly<{ of: 'p50' | 'p99'; clients: readonly number[]; atMost: number }>;
  requests: readonly string[];
  /** What others ask for meanwhile, one after the other on each of so many connections. */
  beside?: Readonly<{ clients: number; requests: readonly string[] }>;
  /** Does through the product's own services what the request at this place does, for its SQL to be recorded: of each. */
  replay?: (index: number) => Promise<unknown>;
  /** False where a bare route that sends the same says nothing: of files, and of what is asked beside others. */
  hasLimits?: false;
  /** Measured after all rounds of what only reads, which is to find the data set as it was made. */
  isWrite?: true;
  /** Measured after all others: threads that draw and files that are written leave the process larger for a while. */
  isDocument?: true;
}>;

const PREFIX = '/api/v1';
/** How many different requests of a kind are made. */
export const VARIETY = 5_000;

/** @param path below the API's prefix */
export function getText(path: string): string {
  return requestText('GET', `${PREFIX}${path}`);
}

/** @param path below the API's prefix @param key of idempotency */
export function postText(path: string, body: object, key?: string): string {
  return requestText('POST', `${PREFIX}${path}`, body, key);
}

/** `count` different numbers from 1 to `max`, always the same, in no order that a cache would like. */
export function spread(count: number, max: number): number[] {
  return Array.from({ length: Math.min(count, max) }, (_, index) => ((index * 2_654_435_761) % max) + 1);
}

export function at<T>(list: readonly T[], index: number): T {
  const value = list[index % list.length];
  if (value === undefined) throw new Error('the data set is empty');
  return value;
}
