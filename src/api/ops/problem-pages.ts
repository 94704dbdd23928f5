import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { HttpError, PROBLEMS } from '../edge/problems.ts';
import { serviceDocs } from '../openapi.ts';
import { preferred } from '../responses/content-negotiation.ts';
import { addVary } from '../responses/vary.ts';
import { ProblemCodeSchema } from '../schemas/problem.ts';
import { escapeHtml, sendPage } from './pages.ts';

/** One page a code, in Markdown, with a true example of its answer. */
export const PROBLEM_PAGES = new URL('../../../docs/errors/', import.meta.url);

const FORMS = ['text/markdown', 'text/html'] as const;

/** Serves the pages that problem documents name as their `type`: what happened, and how to fix it. */
export function problemPages(app: FastifyInstance): void {
  const schema = serviceDocs({
    tag: 'service',
    scope: 'open',
    id: 'getProblemPage',
    summary: 'What a problem code means',
    description: 'What happened, how to fix it and whether to try again: a page for browsers, Markdown for the rest.',
    refusals: ['route_not_found'],
    success: {
      status: 200,
      content: Object.fromEntries(FORMS.map((form) => [form, { schema: Type.String() }])),
      description: 'The page.',
    },
  });
  const params = Type.Object({ code: ProblemCodeSchema });
  app.get<{ Params: { code: string } }>(
    '/problems/:code',
    // What is no code is no address either: 404, not a refusal of the form of a parameter.
    { schema: { ...schema, params }, attachValidation: true, config: { scope: 'open' } },
    async (request, reply) => {
      const { code } = request.params;
      // Only codes of the table become a path: nothing else of the file system can be asked for.
      if (!Object.hasOwn(PROBLEMS, code)) throw new HttpError('route_not_found', 'There is no such problem');
      const markdown = await readFile(new URL(`${code}.md`, PROBLEM_PAGES), 'utf8');
      addVary(reply, 'Accept');
      const form = preferred(request.headers.accept, FORMS, (one) => one);
      if (form === 'text/html') return await sendPage(reply, code, await toHtml(markdown));
      return await reply.type('text/markdown; charset=utf-8').send(markdown);
    },
  );
}

/** Loaded when a browser asks: most processes never show a page. HTML within the Markdown is shown as text. */
export async function toHtml(markdown: string): Promise<string> {
  const { Marked } = await import('marked');
  const marked = new Marked({ renderer: { html: ({ text }) => escapeHtml(text) } });
  return await marked.parse(markdown);
}
