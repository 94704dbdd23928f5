/** As much of the package as tests use: the types that others have published for it bring those of all of Koa along. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  type Context = { path: string; body: unknown };

  export default class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>);
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
    callback(): RequestListener;
  }
}
