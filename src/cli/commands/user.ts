import { parseArgs } from 'node:util';
import { FORMATS } from '../../api/edge/validation.ts';
import type { Services } from '../../compose.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import { ROLE_NAMES, type Role } from '../../domain/access/roles.ts';
import { LOCALES, type UserLocale } from '../../domain/access/user.ts';
import { UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';
import { findServer } from '../server-address.ts';
import { readId } from './export.ts';

export const USER_HELP = `Usage: mattilda-billing user add EMAIL --role ROLE [--school ID] [--name NAME] [--locale LOCALE]
       mattilda-billing user invite EMAIL
       mattilda-billing user list
       mattilda-billing user disable EMAIL

add and invite print the address at which the user chooses a password, with PUT and {"password": "…"}: once, within 48 hours.
Hand it over to them alone. list prints one user a line, as JSON. Who is disabled is signed out and may not sign in.

  --role ROLE        viewer, cashier, accountant or owner
  --school ID        where; default: in all schools, those to come too
  --name NAME        default: what stands before the @
  --locale LOCALE    en, es or pt; default: es

Works on DATABASE_URL, else on the embedded database.`;

const EMAIL_LENGTH_MAX = 255;
const NAME_LENGTH_MAX = 200;

/** Resolves with the exit code. @throws UsageError, DomainError `user_email_taken`, `user_not_found`, `school_not_found` */
export async function user(args: string[], config: Config, io: Io): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'add') return await add(rest, config, io);
  if (action === 'list' && rest.length === 0) return await list(config, io);
  if (action === 'invite') return await invite(rest, config, io);
  if (action === 'disable') return await disable(rest, config, io);
  throw new UsageError('It is one of: user add EMAIL, user invite EMAIL, user list, user disable EMAIL');
}

async function add(args: string[], config: Config, io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      role: { type: 'string' },
      school: { type: 'string' },
      name: { type: 'string' },
      locale: { type: 'string', default: 'es' },
    },
  });
  const email = readEmail(positionals);
  const name = values.name ?? email.split('@', 1)[0] ?? email;
  if (name.trim() === '' || [...name].length > NAME_LENGTH_MAX) {
    throw new UsageError(`--name has 1 to ${NAME_LENGTH_MAX} characters`);
  }
  const schoolId = values.school === undefined ? null : readId('--school', values.school);
  const membership = { schoolId, role: readRole(values.role) };
  const account = { email, name, locale: readLocale(values.locale), memberships: [membership] };
  return await withProduct(config, io, async ({ services }) => {
    await services.users.create(COMMAND_LINE, account, null);
    return await printInvitation(services, email, config, io);
  });
}

async function invite(args: string[], config: Config, io: Io): Promise<number> {
  const email = readEmail(args);
  return await withProduct(config, io, async ({ services }) => await printInvitation(services, email, config, io));
}

async function printInvitation({ users }: Services, email: string, config: Config, io: Io): Promise<number> {
  const { token, expiresAt } = await users.invite(COMMAND_LINE, await users.findIdByEmail(COMMAND_LINE, email));
  const origin = config.publicUrl ?? (await findServer(config)).address;
  io.out(`${origin}${config.prefix}/invitations/${token}`);
  io.say(`For ${email} alone, who chooses a password there, until ${expiresAt.toISOString()}`);
  return 0;
}

async function list(config: Config, io: Io): Promise<number> {
  return await withProduct(config, io, async ({ services }) => {
    await services.exports.keep(COMMAND_LINE, { of: 'users', form: 'jsonl', filters: {} });
    const { batches } = await services.users.stream(COMMAND_LINE, {});
    for await (const batch of batches) for (const row of batch) io.out(row);
    return 0;
  });
}

async function disable(args: string[], config: Config, io: Io): Promise<number> {
  const email = readEmail(args);
  return await withProduct(config, io, async ({ services: { users } }) => {
    await users.update(COMMAND_LINE, await users.findIdByEmail(COMMAND_LINE, email), { isActive: false });
    io.say(`${email} is disabled and signed out`);
    return 0;
  });
}

function readEmail([email = '', ...more]: readonly string[]): string {
  if (FORMATS['email']?.[0](email) === true && email.length <= EMAIL_LENGTH_MAX && more.length === 0)
    return email.toLowerCase();
  throw new UsageError('A user has one e-mail, such as caja@colegio.example');
}

function readRole(text: string | undefined): Role {
  const role = ROLE_NAMES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new UsageError(`--role is one of: ${ROLE_NAMES.join(' ')}`);
}

function readLocale(text: string): UserLocale {
  const locale = LOCALES.find((one) => one === text);
  if (locale !== undefined) return locale;
  throw new UsageError(`--locale is one of: ${LOCALES.join(' ')}`);
}
