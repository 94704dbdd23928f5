import type { FastifyInstance } from 'fastify';
import type { UserService } from '../../../services/access/user-service.ts';
import { originOf } from '../../edge/sign-in/cookies.ts';
import { change, create, list, one, remove } from '../../endpoint.ts';
import { writeDocs } from '../../openapi.ts';
import { tableName } from '../../responses/table.ts';
import {
  InvitationResponse,
  toNewUser,
  toUserChanges,
  UserCreate,
  UserQuery,
  UserResponse,
  UserUpdate,
} from '../../schemas/access/user.ts';
import { IdParams, NoBody } from '../../schemas/common.ts';
import { CSV_COLUMNS } from '../../schemas/csv-columns.ts';

const tag = 'users';
const answer = { schema: UserResponse, description: 'The user.' };

/** @param publicUrl where people reach this server; null: where the request was sent to */
export function userRoutes(routes: FastifyInstance, users: UserService, publicUrl: string | null): void {
  list(routes, '/users', {
    tag,
    id: 'listUsers',
    scope: 'users:read',
    personalData: { of: 'users' },
    summary: 'List users, by id',
    row: UserResponse,
    query: UserQuery,
    filter: ({ query: { school_id: schoolId } }) => ({ schoolId }),
    order: ['id'],
    page: async (actor, filter, page, count) => await users.list(actor, filter, page, count),
    rows: async (actor, filter) => await users.stream(actor, filter),
    columns: CSV_COLUMNS.users,
    fileName: (filter) => tableName('users', filter),
  });

  create(routes, '/users', {
    tag,
    id: 'createUser',
    scope: 'users:write',
    summary: 'Make an account, which is used from its invitation on',
    refusals: ['user_email_taken', 'school_not_found', 'membership_repeated', 'grant_exceeds_own'],
    answer,
    body: UserCreate,
    run: async ({ actor, body }, key) => await users.create(actor, toNewUser(body), key),
    location: '/users/:id',
  });

  one(routes, '/users/:id', {
    tag,
    id: 'getUser',
    scope: 'users:read',
    summary: 'Get a user',
    refusals: ['user_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await users.findJson(actor, id),
  });

  change(routes, '/users/:id', {
    tag,
    id: 'updateUser',
    scope: 'users:write',
    summary: 'Change a user',
    description:
      'The `memberships` are all that there are to be in the schools you see; those in other schools stay. Other rights end all sessions of the user.',
    refusals: ['user_not_found', 'school_not_found', 'membership_repeated', 'grant_exceeds_own'],
    answer,
    params: IdParams,
    body: UserUpdate,
    run: async ({ actor, params: { id }, body }) => await users.update(actor, id, toUserChanges(body)),
  });

  remove(routes, '/users/:id', {
    tag,
    id: 'deleteUser',
    scope: 'users:write',
    summary: 'Delete a user for good, with all sessions',
    refusals: ['user_not_found', 'grant_exceeds_own'],
    answer: 'Deleted.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await users.delete(actor, id),
  });

  const invitation = {
    tag,
    id: 'inviteUser',
    scope: 'users:write',
    summary: 'Make the one-time address at which a user chooses a password',
    description:
      'Also for a lost password. It is good for 48 hours, and the one before is void. Nothing repeats it: a second request makes a second one.',
    refusals: ['user_not_found', 'user_disabled', 'grant_exceeds_own'],
    success: { status: 201, schema: InvitationResponse, description: 'The invitation, which is shown here alone.' },
  } as const;
  routes.post<{ Params: { id: number } }>(
    '/users/:id/invitation',
    { schema: { ...writeDocs(invitation), params: IdParams, body: NoBody }, config: { scope: invitation.scope } },
    async (request, reply) => {
      const { token, userId, expiresAt } = await users.invite(request.actor, request.params.id);
      const address = `${publicUrl ?? originOf(request)}${routes.prefix}/invitations/${token}`;
      return await reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ user_id: userId, token, address, expires_at: expiresAt.toISOString() });
    },
  );
}
