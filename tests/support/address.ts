/** How the product is called in tests. Apart from it: who calls a process of its own needs not load it. */
export const API_KEY = 'test-key-of-more-than-thirty-two-characters';
export const PREFIX = '/api/v1';
