/** What services ask of the world around them, so that they import none of it. */

export interface Log {
  /** @param facts ids and decimal text only: no names, emails or keys @param event past tense, such as `payment_processed` */
  info(facts: Readonly<Record<string, unknown>>, event: string): void;
}

export interface Clock {
  now(): Date;
}

export interface TimeZones {
  /**
   * The IANA zone that a school in `country` (ISO 3166-1 alpha-2) is in unless it says otherwise: where there are several,
   * the one in which most people live; UTC where nobody does.
   */
  ofCountry(country: string): string;
}

/**
 * What a printed document is made of: texts in their places, ready to be read. Services choose language, number and
 * date forms; the renderer chooses fonts, sizes and page breaks, and never looks at what a text means.
 */
export type PrintedDocument = Readonly<{
  /** BCP 47. */
  language: string;
  paper: 'LETTER' | 'A4';
  title: string;
  /** Under the title: a number, a day or a period. */
  subtitle: string;
  issuer: Readonly<{ name: string; details: readonly string[] }>;
  party: Readonly<{ label: string; name: string; details: readonly string[] }> | null;
  facts: readonly (readonly [label: string, value: string])[];
  /** Stamped across the head. */
  mark: Readonly<{ text: string; tone: 'good' | 'bad' }> | null;
  /** Paragraphs to be read, before the tables. */
  body: readonly string[];
  tables: readonly PrintedTable[];
  /** The box at the end; the last one stands out. */
  totals: readonly (readonly [label: string, value: string])[];
  /** How to pay, in lines. */
  instructions: Readonly<{ caption: string; lines: readonly string[] }> | null;
  notes: readonly string[];
  /** What is written below the line for a signature; null where nobody signs. */
  signature: string | null;
  footer: string;
  /** With {page} and {pages} in it. */
  pageLabel: string;
  createdAt: Date;
  /** Further papers of the same file: each begins a page and counts its own. */
  following?: readonly PrintedDocument[];
}>;

export type PrintedTable = Readonly<{
  caption: string | null;
  /**
   * `amount` stands right and is never cut. `word` is short (a number, a date) and never wrapped. `text` shares what
   * width is left and wraps, to an … after a few lines; `whole` does so too, and is never cut.
   */
  columns: readonly Readonly<{ label: string; kind: 'text' | 'whole' | 'word' | 'amount' }>[];
  rows: readonly (readonly string[])[];
  sums: readonly string[] | null;
  /** Instead of rows when there are none. */
  emptyText: string;
}>;

/**
 * For whom a document is, who gets their turn among all who want one; how long it will be, roughly; and what says that
 * nobody wants it any more.
 */
export type DocumentOrder = Readonly<{ caller: string; lines: number; left?: AbortSignal | undefined }>;

/** Draws documents, somewhere that does not keep the caller from answering others. */
export interface DocumentRenderer {
  /**
   * @param read makes the document once it is its turn; what it throws is thrown on
   * @returns a PDF; undefined when too many documents are waiting, or nobody wants it any more
   */
  render(order: DocumentOrder, read: () => Promise<PrintedDocument>): Promise<Uint8Array | undefined>;
}

/** How passwords are kept: in a form that holds its own parameters, slow to make on purpose. */
export interface Passwords {
  /** Whether everybody would try it first. */
  isCommon(password: string): boolean;
  /**
   * Runs `work` as soon as it is its turn: few take theirs at once.
   *
   * @throws UnavailableError `database_busy` when that took too long; nothing has run then
   */
  inTurn<T>(work: (turn: PasswordTurn) => Promise<T>): Promise<T>;
}

export interface PasswordTurn {
  hash(password: string): Promise<string>;
  /** @param hash null where there is none: false then, after as long as it takes to know */
  matches(password: string, hash: string | null): Promise<boolean>;
}

/** What opens a door: nobody can guess one, and only its digest is kept. */
export interface Tokens {
  make(): string;
  /** 32 bytes, the same for the same text. */
  digest(text: string): Uint8Array;
}

/** What binds a sign-in that was sent to the provider to the browser it began in. */
export type SignInSecrets = Readonly<{ state: string; nonce: string; verifier: string }>;

/** Who the provider says somebody is. `email` is null unless the provider has verified it. */
export type ProvenIdentity = Readonly<{ issuer: string; subject: string; email: string | null }>;

/** Where people say who they are instead of with a password of ours. */
export interface IdentityProvider {
  /** Where to send them. @throws UnavailableError `identity_provider_unavailable` */
  addressFor(secrets: SignInSecrets): Promise<string>;
  /**
   * Who came back from there.
   *
   * @param query what stands behind the ? of the address they came back to
   * @throws IdentityRefused, UnavailableError `identity_provider_unavailable`
   */
  identify(query: string, secrets: SignInSecrets): Promise<ProvenIdentity>;
}

/** What came back from the provider proves nothing: it was refused there, is forged, old, or for somebody else. */
export class IdentityRefused extends Error {
  override readonly name = 'IdentityRefused';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}
