/** What services ask of the world around them, so that they import none of it. */

export interface Log {
  /** @param facts ids and decimal text only: no names, emails or keys @param event past tense, such as `payment_processed` */
  info(facts: Readonly<Record<string, unknown>>, event: string): void;
}

export interface Clock {
  now(): Date;
}
