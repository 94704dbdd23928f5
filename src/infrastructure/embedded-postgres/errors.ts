/** The embedded server cannot be had. The message is for people: what is wrong, and what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name: string = 'EmbeddedPostgresError';
}

/** The server ended, or said no, instead of taking connections. */
export class ServerStartError extends EmbeddedPostgresError {
  /** What the server said last, in one line. */
  readonly reason: string;
  /** All of it. */
  readonly said: string;

  /** @param said what the server has written to its log since it was started */
  constructor(how: string, said: string, log: string) {
    const reason = reasonIn(said) ?? how;
    super(`PostgreSQL did not start: ${reason}\nWhat else it said is in ${log}`);
    this.reason = reason;
    this.said = said;
  }
}

/** The line of a server's log that says why: of its last complaint, without time and process. */
function reasonIn(said: string): string | undefined {
  const complaints = said.split('\n').filter((line) => /(FATAL|PANIC|LOG|ERROR):/.test(line));
  // What follows the cause is about its consequences: the database system is shut down.
  const cause = complaints.find((line) => /(FATAL|PANIC):/.test(line) && !isAboutConsequence(line)) ?? complaints.at(0);
  if (cause !== undefined) return cause.replace(/^.*?(FATAL|PANIC|LOG|ERROR): */, '');
  // Before it has a log it speaks without such marks.
  return said.trim() === '' ? undefined : said.trim().split('\n').join(' ');
}

/** Said after the line that says what is wrong in it. */
function isAboutConsequence(line: string): boolean {
  return line.includes('configuration file') && line.includes('contains errors');
}

/** In one line, for the log. */
export function reasonOf(error: unknown): string {
  if (error instanceof ServerStartError) return error.reason;
  return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
}
