import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PROBLEMS } from '../src/api/edge/problems.ts';

const PAGES = new URL('../docs/errors/', import.meta.url);
const LINES_MAX = 30;

const files = readdirSync(PAGES);

test('every code has a page, and every page a code', () => {
  expect(files.toSorted()).toEqual(
    Object.keys(PROBLEMS)
      .map((code) => `${code}.md`)
      .toSorted(),
  );
});

describe.each(Object.entries(PROBLEMS))('%s', (code, { status, title }) => {
  const page = files.includes(`${code}.md`) ? readFileSync(new URL(`${code}.md`, PAGES), 'utf8') : '';

  test('names its status and title first', () => {
    expect(page.startsWith(`# ${code}\n\n**${status}** · ${title}\n\n`)).toBe(true);
  });

  test('shows an answer that this version gives', () => {
    const example = /```json\n([\s\S]+?)\n```/.exec(page)?.[1] ?? '{}';
    expect(JSON.parse(example)).toMatchObject({
      type: `/problems/${code}`,
      title,
      status,
      code,
      detail: expect.any(String),
      instance: expect.any(String),
      request_id: expect.any(String),
    });
  });

  test('says how to mend it and whether to try again, on one screen', () => {
    expect(page).toMatch(/^\*\*Fix\.\*\* \S/m);
    expect(page).toMatch(/^\*\*Retry\.\*\* \S/m);
    expect(page.split('\n').length).toBeLessThanOrEqual(LINES_MAX);
  });
});
