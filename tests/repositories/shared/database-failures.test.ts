import { describe, expect, test } from 'vitest';
import { ConnectionFailed, ConnectionLost, PoolExhausted } from '../../../src/infrastructure/postgres/errors.ts';
import { isSafeToRepeat, translate, type Work } from '../../../src/repositories/shared/database-failures.ts';

/** An error as PostgreSQL sends it. */
function refused(code: string, message = code): Error {
  return Object.assign(new Error(message), { code, severity: 'ERROR' });
}

const lost = new ConnectionLost(new Error('reset'));
const lostCommitting = new ConnectionLost(new Error('reset'), true);

describe('isSafeToRepeat', () => {
  test.each<[what: string, error: Error, work: Work, safe: boolean]>([
    ['a deadlock, which undid everything', refused('40P01'), 'statement', true],
    ['a serialization failure', refused('40001'), 'transaction', true],
    ['a broken rule', refused('23514'), 'transaction', false],
    ['a fault of ours', new TypeError('x'), 'read', false],
    ['no connection: whoever waits longer helps nobody', new ConnectionFailed(new Error('refused')), 'read', false],
    ['a read that was cut', lost, 'read', true],
    ['a statement that was cut: it may have committed', lost, 'statement', false],
    ['a transaction cut before COMMIT', lost, 'transaction', true],
    ['a transaction cut during COMMIT', lostCommitting, 'transaction', false],
    ['the same with a key', lostCommitting, 'repeatable', true],
  ])('%s', (_what, error, work, safe) => {
    expect(isSafeToRepeat(error, work)).toBe(safe);
  });
});

describe('translate', () => {
  test.each<[what: string, error: Error, work: Work, code: string]>([
    ['no server', new ConnectionFailed(new Error('refused')), 'read', 'database_unavailable'],
    ['a server without a free connection', new ConnectionFailed(refused('53300')), 'read', 'database_busy'],
    ['a full pool', new PoolExhausted(new Error('timeout')), 'statement', 'database_busy'],
    ['a cut read', lost, 'read', 'database_unavailable'],
    ['a cut statement', lost, 'statement', 'outcome_unknown'],
    ['a cut transaction', lost, 'transaction', 'database_unavailable'],
    ['a cut COMMIT', lostCommitting, 'transaction', 'outcome_unknown'],
    ['a lock that did not come', refused('55P03'), 'statement', 'database_busy'],
    ['deadlocks without end', refused('40P01'), 'transaction', 'database_busy'],
    ['a full disk', refused('53100'), 'transaction', 'database_full'],
    ['a full disk at the door', new ConnectionFailed(refused('53100')), 'read', 'database_full'],
    [
      'a quota that is used up',
      refused('XX000', 'could not extend file "base/5/1": Disk quota exceeded'),
      'statement',
      'database_full',
    ],
    ['a standby', refused('25006'), 'statement', 'database_unavailable'],
  ])('%s', (_what, error, work, code) => {
    expect(translate(error, work)).toMatchObject({ name: 'UnavailableError', code });
  });

  test('anything else stays what it is', () => {
    for (const error of [new TypeError('x'), refused('23514')]) expect(translate(error, 'statement')).toBe(error);
  });
});
