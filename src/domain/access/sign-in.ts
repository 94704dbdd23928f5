const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A session that nobody uses ends after this. */
export const SESSION_IDLE_MS = 12 * HOUR_MS;
/** And any session after this. */
export const SESSION_MAX_MS = 7 * DAY_MS;
/** `used_at` is written when it is older than this, not with every request. */
export const SESSION_USED_EVERY_MS = 5 * MINUTE_MS;

export const INVITATION_MAX_MS = 48 * HOUR_MS;
/** How long somebody may take at the OpenID provider. */
export const OIDC_REQUEST_MAX_MS = 10 * MINUTE_MS;

export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 256;

/** Whom failures are counted for: whoever it was that somebody wanted to be, and where they came from. */
export type FailureLimit = Readonly<{
  /** From this one on a failure makes the next try wait. */
  failuresMin: number;
  /** The count begins anew when it is older than this. */
  windowMs: number;
}>;

export const ACCOUNT_LIMIT: FailureLimit = { failuresMin: 5, windowMs: DAY_MS };
/** A whole school may come from one address. */
export const ADDRESS_LIMIT: FailureLimit = { failuresMin: 50, windowMs: MINUTE_MS };

const WAIT_MAX_S = 15 * 60;

/**
 * How long the next try waits: 2, 4, 8 … seconds from the `failuresMin`th failure on, at most 15 minutes, and never for
 * good, or anybody could lock anybody out.
 */
export function waitAfterMs(failures: number, { failuresMin }: FailureLimit): number {
  if (failures < failuresMin) return 0;
  return Math.min(2 ** (failures - failuresMin + 1), WAIT_MAX_S) * SECOND_MS;
}

/** How often in a row it failed. */
export type Failures = Readonly<{ count: number; since: Date; retryAt: Date }>;

/** The count with one more failure in it. */
export function withFailure({ count, since }: Failures, limit: FailureLimit, now: Date): Failures {
  const isOver = since.getTime() + limit.windowMs <= now.getTime();
  const failures = isOver ? 1 : count + 1;
  return {
    count: failures,
    since: isOver ? now : since,
    retryAt: new Date(now.getTime() + waitAfterMs(failures, limit)),
  };
}
