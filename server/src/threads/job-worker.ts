import { parentPort, type Transferable } from 'node:worker_threads';
import { ServiceError } from '../errors.ts';
import { lowerThreadPriority } from '../thread-priority.ts';
import { JOBS } from './jobs.ts';
import type { Answer, Task } from './pool.ts';

/** In Node.js's scale: processors are shared with the server's own thread about one to nine. */
const LOW_PRIORITY = 10;

lowerThreadPriority(LOW_PRIORITY);

// What a thread of `pool.ts` runs: one task after the other.
parentPort?.on('message', ({ job, argument }: Task) => {
  const answer = answerOf(job, argument);
  parentPort?.postMessage(answer, 'result' in answer ? bytesIn(answer.result) : []);
});

function answerOf(job: string, argument: unknown): Answer {
  try {
    return { result: (JOBS as Readonly<Record<string, (argument: never) => unknown>>)[job]?.(argument as never) };
  } catch (error) {
    if (!(error instanceof ServiceError)) return { bug: error };
    return { refused: { code: error.code, message: error.message } };
  }
}

/** The memory of the bytes that a result is or has, which is given to the other thread rather than copied. */
function bytesIn(result: unknown): Transferable[] {
  const parts = result instanceof Uint8Array ? [result] : Object.values(Object(result));
  return parts.flatMap((part) => (part instanceof Uint8Array && isAlone(part) ? [part.buffer as ArrayBuffer] : []));
}

/** Short buffers share their memory with others. */
function isAlone({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}
