import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { HttpError, PROBLEMS } from '../edge/problems.ts';

const PAGES = new URL('../../../docs/errors/', import.meta.url);

/** Serves the pages that problem documents name as their `type`: what happened, and how to mend it. */
export function problemPages(app: FastifyInstance): void {
  app.get<{ Params: { code: string } }>(
    '/problems/:code',
    { schema: { hide: true }, config: { isOpen: true } },
    async (request, reply) => {
      const { code } = request.params;
      // Only codes of the table become a path: nothing else of the file system can be asked for.
      if (!Object.hasOwn(PROBLEMS, code)) throw new HttpError('route_not_found', 'There is no such problem');
      return await reply
        .type('text/markdown; charset=utf-8')
        .send(await readFile(new URL(`${code}.md`, PAGES), 'utf8'));
    },
  );
}
