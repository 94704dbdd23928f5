/** Something the person at the command line can mend: shown without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
