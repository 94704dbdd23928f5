import { afterEach, describe, expect, test, vi } from 'vitest';
import { processIo } from '../../src/cli/io.ts';

afterEach(() => vi.restoreAllMocks());

/** Stands where the terminal would, and ends each write as a test decides. */
function aReader(error: Error | null) {
  return vi.spyOn(process.stdout, 'write').mockImplementation(((
    _chunk: unknown,
    done?: (error: Error | null) => void,
  ) => {
    done?.(error);
    return true;
  }) as typeof process.stdout.write);
}

describe('processIo', () => {
  test('results are lines on standard output, progress on standard error', () => {
    const out = aReader(null);
    const say = vi.spyOn(process.stderr, 'write').mockReturnValue(true);

    processIo.out('result');
    processIo.say('progress');

    expect(out).toHaveBeenCalledExactlyOnceWith('result\n');
    expect(say).toHaveBeenCalledExactlyOnceWith('progress\n');
  });

  test('bytes go out as they are, until nobody reads them', async () => {
    const out = aReader(null);
    expect(await processIo.write('a,b\r\n')).toBe(true);
    expect(out).toHaveBeenCalledWith('a,b\r\n', expect.any(Function));

    aReader(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
    expect(await processIo.write('more')).toBe(false);

    aReader(Object.assign(new Error('disk full'), { code: 'ENOSPC' }));
    await expect(processIo.write('more')).rejects.toThrow('disk full');
  });

  test('the first signal that asks the process to end is told by name', async () => {
    const signalled = processIo.signalled();
    process.emit('SIGHUP');
    expect(await signalled).toBe('SIGHUP');
  });

  test('exits with the code it is given', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as unknown as typeof process.exit);
    processIo.exit(3);
    expect(exit).toHaveBeenCalledExactlyOnceWith(3);
  });
});
