/**
 * Neither white space, nor controls, formats and what has no meaning, nor marks without a letter, nor what Unicode says is
 * shown as nothing; and the blank pattern of Braille.
 */
const VISIBLE = /[^\p{Z}\p{C}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether a text shows anything at all. */
export function isVisible(text: string): boolean {
  return VISIBLE.test(text);
}

/** Words a search may have: names of people have up to six. */
export const SEARCH_WORDS_MAX = 8;

/** The words of a search, each once. What shows nothing is none. */
export function searchWords(search: string): string[] {
  return [...new Set(search.normalize('NFC').split(/\s+/u).filter(isVisible))];
}

/** ASCII dot-atom of RFC 5322 before the @, a host name with a dot after it (RFC 1123). */
const EMAIL =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;

/** Whether a text looks like the address of a mailbox. */
export function isEmail(text: string): boolean {
  return EMAIL.test(text);
}

/** NUL, and halves of surrogate pairs, which no UTF-8 holds. */
const UNSTORABLE = /[\0\ud800-\udfff]/u;

/** Whether a column of text can hold it. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}
