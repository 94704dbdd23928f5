import type { Language } from '../locale.ts';
import { ENGLISH } from './en.ts';
import { SPANISH, type Words } from './es.ts';
import { PORTUGUESE } from './pt.ts';

export type { Words } from './es.ts';

export const WORDS: Readonly<Record<Language, Words>> = { es: SPANISH, en: ENGLISH, pt: PORTUGUESE };

/** `template` with each {name} in it replaced by the value of that name, which may hold anything. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
