import type { onRequestHookHandler, RouteOptions } from 'fastify';

/**
 * Hooks that belong to some routes only are added to those routes when these are registered, so that the others do not
 * pay for a question whose answer never changes. Call from an `onRoute` hook. They run after the application's own.
 */
export function addOnRequest(route: RouteOptions, hook: onRequestHookHandler): void {
  route.onRequest = [route.onRequest ?? [], hook].flat();
}

/** Whether the route belongs to the API itself: health, documentation and metrics do not. */
export function isBelow(prefix: string, { url }: RouteOptions): boolean {
  return url.startsWith(`${prefix}/`);
}

/** A list, statement or report: work that grows with the data. What ends in an id is one row. */
export function isHeavyRead({ method, url }: RouteOptions): boolean {
  return isRead(method) && !/\/:\w+$/.test(url);
}

export function isRead(method: RouteOptions['method']): boolean {
  return method === 'GET' || method === 'HEAD';
}
