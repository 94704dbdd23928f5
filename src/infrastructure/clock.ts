/** The machine's own time. Tests bring their own clock, so that they decide the day. */
export const systemClock = { now: (): Date => new Date() };
