import { setTimeout } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ExportedFile } from '../../services/access/export-service.ts';
import type { FinishedDocument } from '../../services/documents/document-service.ts';
import { LANGUAGES, type Language } from '../../services/documents/locale.ts';
import { holdBackMs } from '../edge/load/overload.ts';
import { HttpError } from '../edge/problems.ts';
import { oneOf } from '../schemas/common.ts';
import { addVary } from './vary.ts';

const PDF_TYPE = 'application/pdf';

/** The `lang` query parameter of a route that offers PDF. */
export const languageParameter = Type.Optional(
  oneOf(LANGUAGES, {
    description: "Language of a PDF. Default: `Accept-Language`, else that of the school's country.",
  }),
);

/** The language asked for: that of `lang`, else the best liked of `Accept-Language` that there is; null when none is. */
export function languageOf({ headers }: FastifyRequest, asked: Language | undefined): Language | null {
  if (asked !== undefined) return asked;
  let best: Language | null = null;
  let bestQuality = 0;
  for (const part of (headers['accept-language'] ?? '').split(',', RANGES_MAX)) {
    const [range = '', weight = 'q=1'] = part.split(';').map((text) => text.trim().toLowerCase());
    const language = LANGUAGES.find((one) => range === one || range.startsWith(`${one}-`));
    const quality = /^q=(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight.slice(2)) : 0;
    if (language !== undefined && quality > bestQuality) [best, bestQuality] = [language, quality];
  }
  return best;
}

/** Ranges of an Accept-Language header that are read. */
const RANGES_MAX = 50;

/**
 * @param document undefined when too many are being made: then the answer is 503, after a while, because whoever asks again at
 *   once would keep the process busy with refusing
 * @param exported what is kept of it before it is sent, if it is an export of personal data
 * @throws HttpError `overloaded`
 */
export async function sendPdf(
  { request, reply }: Readonly<{ request: FastifyRequest; reply: FastifyReply }>,
  document: FinishedDocument | undefined,
  exported?: ExportedFile,
): Promise<FastifyReply> {
  if (document === undefined) {
    if (!reply.raw.destroyed) await setTimeout(holdBackMs());
    throw new HttpError('overloaded', 'Too many documents are being made; try again');
  }
  if (exported !== undefined) await request.keepExport(exported);
  const { bytes, name, language } = document;
  addVary(reply, 'Accept-Language');
  return await reply
    .type(PDF_TYPE)
    .headers({
      'content-disposition': `inline; filename="${name}.pdf"`,
      'content-language': language,
    })
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
