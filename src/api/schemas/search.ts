import { Type } from 'typebox';
import { SEARCH_WORDS_MAX, searchWords } from '../../domain/shared/text.ts';
import { HttpError } from '../edge/problems.ts';
import { text } from './common.ts';

/** The parameter `q`. @param what is searched */
export function searchOf(what: string) {
  return Type.Optional(
    text(1, 255, {
      description: `Up to ${SEARCH_WORDS_MAX} words, in any order, all of which are in ${what}; accents and case do not count. Of one or two characters, they begin a word there.`,
      examples: ['nunez maria'],
    }),
  );
}

/** @throws HttpError `request_invalid` for what holds no word, or too many */
export function readSearch(q: string | undefined): readonly string[] | undefined {
  if (q === undefined) return undefined;
  const words = searchWords(q);
  if (words.length > 0 && words.length <= SEARCH_WORDS_MAX) return words;
  const detail =
    words.length === 0 ? 'must have at least one visible character' : `must be at most ${SEARCH_WORDS_MAX} words`;
  throw new HttpError('request_invalid', 'The request has invalid fields', { errors: [{ pointer: '#/q', detail }] });
}
