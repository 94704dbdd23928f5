import { parseArgs } from 'node:util';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import { isScope, SCOPES, type Scope } from '../../domain/access/scopes.ts';
import { isTimestamp, parseTimestamp } from '../../domain/shared/calendar.ts';
import { UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';
import { readId } from './export.ts';

export const KEYS_HELP = `Usage: mattilda-billing keys add NAME --scope SCOPE... [--school ID...] [--expires INSTANT]
       mattilda-billing keys list
       mattilda-billing keys revoke ID

add prints the key once; it cannot be shown again. list prints one key a line, as JSON. A key that is revoked is refused by
every server within three seconds.

  --scope SCOPE        what it may do, such as payments:write; as often as needed
  --school ID          whose data there is for it; as often as needed; default: all schools, those to come too
  --expires INSTANT    such as 2027-01-01T00:00:00Z; default: never

Scopes: ${SCOPES.join(' ')}
Works on DATABASE_URL, else on the embedded database.`;

const NAME_LENGTH_MAX = 100;

/** Resolves with the exit code. @throws UsageError, DomainError `school_not_found`, `api_key_not_found`, `api_key_revoked` */
export async function keys(args: string[], config: Config, io: Io): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'add') return await add(rest, config, io);
  if (action === 'list' && rest.length === 0) return await list(config, io);
  if (action === 'revoke') return await revoke(rest, config, io);
  throw new UsageError('It is one of: keys add NAME, keys list, keys revoke ID');
}

async function add(args: string[], config: Config, io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      scope: { type: 'string', multiple: true },
      school: { type: 'string', multiple: true },
      expires: { type: 'string' },
    },
  });
  const [name = '', ...more] = positionals;
  if (name.trim() === '' || [...name].length > NAME_LENGTH_MAX || more.length > 0) {
    throw new UsageError(`A key has one name, of 1 to ${NAME_LENGTH_MAX} characters`);
  }
  const draft = {
    name,
    schoolIds: values.school?.map((id) => readId('--school', id)) ?? null,
    scopes: readScopes(values.scope ?? []),
    expiresAt: readExpiry(values.expires),
  };
  return await withProduct(config, io, async ({ services }) => {
    const { body } = await services.apiKeys.create(COMMAND_LINE, draft, null);
    io.out(body);
    return 0;
  });
}

async function list(config: Config, io: Io): Promise<number> {
  return await withProduct(config, io, async ({ services }) => {
    const { batches } = await services.apiKeys.stream(COMMAND_LINE);
    for await (const batch of batches) for (const row of batch) io.out(row);
    return 0;
  });
}

async function revoke(args: string[], config: Config, io: Io): Promise<number> {
  const [text = '', ...more] = args;
  if (more.length > 0) throw new UsageError('One key is revoked at a time');
  const id = readId('ID', text);
  return await withProduct(config, io, async ({ services }) => {
    await services.apiKeys.revoke(COMMAND_LINE, id);
    io.say(`API key ${id} is revoked`);
    return 0;
  });
}

function readScopes(texts: readonly string[]): Scope[] {
  const unknown = texts.find((text) => !isScope(text));
  if (unknown !== undefined) throw new UsageError(`There is no scope ${unknown}. There are: ${SCOPES.join(' ')}`);
  if (texts.length === 0) throw new UsageError('A key needs a --scope at least');
  return texts.filter(isScope);
}

function readExpiry(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const expiresAt = isTimestamp(text) ? parseTimestamp(text) : undefined;
  if (expiresAt !== undefined && expiresAt > new Date()) return expiresAt;
  throw new UsageError('--expires is an instant in the future, such as 2027-01-01T00:00:00Z');
}
