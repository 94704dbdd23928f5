/** What a command has around it, so that it can be run inside another program too. */
export type Io = Readonly<{
  /** The configuration; absent: this process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Results, a line or more at a time: standard output. */
  out(text: string): void;
  /** The same byte for byte, at the pace of whoever reads it. False once nobody does. */
  write(chunk: string | Uint8Array): Promise<boolean>;
  /** Progress and complaints: standard error. */
  say(text: string): void;
  /** Whether a person watches standard output, and standard error. */
  isTerminal: Readonly<{ out: boolean; say: boolean }>;
  /** Resolves with the signal that asks the process to end. */
  signalled(): Promise<string>;
  /** Ends the process at once. */
  exit(code: number): void;
}>;

/** This process, as its shell sees it. */
export const processIo: Io = {
  out: (text) => void process.stdout.write(`${text}\n`),
  write: async (chunk) =>
    await new Promise((resolve, reject) => {
      process.stdout.once('error', ignore);
      process.stdout.write(chunk, (error) => {
        if (!error) {
          process.stdout.off('error', ignore);
          resolve(true);
        } else if ('code' in error && error.code === 'EPIPE') resolve(false);
        else reject(error);
      });
    }),
  say: (text) => void process.stderr.write(`${text}\n`),
  isTerminal: { out: process.stdout.isTTY === true, say: process.stderr.isTTY === true },
  signalled: async () =>
    await new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
    }),
  exit: (code) => process.exit(code),
};

/** The callback of the write tells of the error; unheard as an event it would end the process. */
function ignore(): void {
  return;
}
