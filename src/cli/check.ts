import type { Config } from '../config.ts';
import type { Io } from './io.ts';

export const CHECK_HELP = 'x';
export async function check(_args: string[], _config: Config, _io: Io): Promise<number> {
  return 2;
}
