import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { leftSignal, onClosed } from '../../../../src/api/edge/load/on-closed.ts';

function aResponse(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

test('all that waits for the end of an answer is told once, in order, by one listener', () => {
  const response = aResponse();
  const listeners = response.listenerCount('close');
  const told: number[] = [];
  for (const one of [1, 2, 3, 4, 5]) onClosed(response, () => void told.push(one));
  const left = leftSignal(response);
  expect(response.listenerCount('close')).toBe(listeners + 1);
  expect([told, left.aborted]).toEqual([[], false]);
  response.emit('close');
  response.emit('close');
  expect([told, left.aborted]).toEqual([[1, 2, 3, 4, 5], true]);
});

test('who comes when it is over is told at once', () => {
  const response = aResponse();
  response.destroy();
  expect(leftSignal(response).aborted).toBe(true);
});
