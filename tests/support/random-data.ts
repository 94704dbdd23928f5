import fc from 'fast-check';
import { inject } from 'vitest';

/** Runs before every file: properties start from the seed of the run. */
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: inject('seed') });
