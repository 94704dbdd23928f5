import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { preferred } from '../responses/content-negotiation.ts';
import { addVary } from '../responses/vary.ts';

const STYLE = `:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }
pre { padding: 1rem; overflow-x: auto; border: 1px solid #8884; border-radius: 4px }
code { font: 0.9em ui-monospace, monospace }`;

/** Nothing is loaded or run: a page is its text and the style above. */
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** @param body HTML @param title text */
export async function sendPage(reply: FastifyReply, title: string, body: string): Promise<FastifyReply> {
  return await reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', CONTENT_SECURITY_POLICY)
    .send(
      `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escapeHtml(title)}</title>\n<style>${STYLE}</style>\n${body}\n</html>\n`,
    );
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Answers / with the addresses where one goes on: a page for browsers, JSON for the rest. */
export function indexPage(app: FastifyInstance, { version, prefix }: { version: string; prefix: string }): void {
  const index = {
    name: 'Mattilda Billing',
    version,
    docs: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    api: prefix,
  };
  const items = [
    ['/docs', 'The API, to read and to try'],
    ['/openapi.json', 'The API, for programs (OpenAPI 3.1)'],
    ['/health', 'Whether this server lives'],
  ].map(([address, text]) => `<li><a href="${address}">${address}</a> · ${text}</li>`);
  const page = `<h1>${index.name}</h1>\n<p>Version ${escapeHtml(version)}. The API is below <code>${escapeHtml(prefix)}</code>.</p>\n<ul>${items.join('')}</ul>`;
  app.get('/', { schema: { hide: true }, config: { scope: 'open' } }, async (request, reply) => {
    addVary(reply, 'Accept');
    const type = preferred(request.headers.accept, ['application/json', 'text/html'], (one) => one);
    return type === 'text/html' ? await sendPage(reply, index.name, page) : await reply.type(JSON_TYPE).send(index);
  });
}
