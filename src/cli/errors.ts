import { isConnectionLoss } from '../infrastructure/postgres/errors.ts';

/** Something the person at the command line can mend: shown without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** It was asked wrongly: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the address of a database got instead of a connection, in words. No password in them. */
export function explainDatabase(error: unknown, text: string, variable: string): unknown {
  const url = new URL(text);
  const host = decodeURIComponent(url.hostname);
  const where = `${host}:${url.port === '' ? '5432' : url.port}`;
  const user = decodeURIComponent(url.username);
  const name = decodeURIComponent(url.pathname.slice(1));
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  const because = (reason: string): CommandError => new CommandError(`${variable} does not work: ${reason}`);
  if (error instanceof Error && 'path' in error && code === 'ENOENT' && host !== '' && !host.startsWith('/')) {
    return because(`there is no file ${String(error.path)}, which it names`);
  }
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return because(`nothing listens at ${where}. Is PostgreSQL running there?`);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return because(`there is no host ${host}`);
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || /timeout/.test(message)) {
    return because(`${where} does not answer. Is the host right, and is no firewall in between?`);
  }
  if (code === '28P01' || code === '28000' || /password must be/.test(message)) {
    return because(`PostgreSQL at ${where} refuses the user ${user} or its password`);
  }
  if (code === '3D000') {
    return because(`there is no database ${name} at ${where}. Make it with: createdb -h ${host} ${name}`);
  }
  if (code === '53300') return because(`PostgreSQL at ${where} has no connection to spare`);
  if (code === '57P03') return because(`PostgreSQL at ${where} is starting or stopping. Try again in a moment`);
  if (code === 'ECONNRESET' || code === 'EPIPE' || /Connection terminated/.test(message)) {
    return because(`what listens at ${where} hangs up. Is it PostgreSQL?`);
  }
  if (/SSL|certificate/.test(message)) return because(`PostgreSQL at ${where}: ${message}`);
  return error;
}

/** Why a migration failed, in words. What is no word of PostgreSQL's stays as it is. */
export function explainMigration(error: unknown, url: string): unknown {
  if (!(error instanceof Error && 'severity' in error)) return error;
  const code = codeOf(error);
  if (code === '42501') {
    return new CommandError(
      `The schema cannot be brought up to date: ${error.message}. ${decodeURIComponent(new URL(url).username)} is not the owner.\nSet DATABASE_MIGRATION_URL to the URL of the role that owns the tables, or run npm run migrate with it beforehand.`,
    );
  }
  if (code === '25006') {
    return new CommandError(
      'The schema cannot be brought up to date: the database takes no writes. Is it a standby? Set DATABASE_MIGRATION_URL to the primary.',
    );
  }
  const detail = 'detail' in error && typeof error.detail === 'string' ? ` ${error.detail}` : '';
  return new CommandError(`The schema cannot be brought up to date: ${error.message}.${detail}`);
}

/** Why work on whole tables failed, in words, where it was for want of the database. */
export function explainLoss(error: unknown, outcome: string): unknown {
  // 55P03 lock_not_available.
  if (codeOf(error) === '55P03') {
    return new CommandError(`Somebody held a table of the database for too long: ${outcome}. Try again.`);
  }
  return isConnectionLoss(error) ? new CommandError(`The connection to the database was lost: ${outcome}.`) : error;
}

/** Why the embedded database cannot keep its data there, in words. */
export function explainDataDir(error: unknown, dataDir: string): unknown {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'this user may not write there',
    EPERM: 'this user may not write there',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    ENOTDIR: 'a file is in the way',
    EEXIST: 'a file is in the way',
  };
  const reason = reasons[codeOf(error) ?? ''];
  if (reason === undefined) return error;
  return new CommandError(
    `The data directory ${dataDir} cannot be used: ${reason}.\nSet DATA_DIR to another directory, or DATABASE_URL to a PostgreSQL of your own.`,
  );
}

/** Why the server cannot listen where it was told to, in words. */
export function explainAddress(error: unknown, { host, port }: Readonly<{ host: string; port: number }>): unknown {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') {
    return new CommandError(
      `Port ${port} on ${host} is in use by another process (see: ss -ltnp 'sport = :${port}', or lsof -i :${port}).\nStop it, or choose another port: PORT=${port + 1} npm start`,
    );
  }
  if (code === 'EACCES') return new CommandError(`Port ${port} needs more rights. Choose one above 1023: PORT=8000`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new CommandError(`HOST ${host} is not an address of this machine`);
  return error;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
