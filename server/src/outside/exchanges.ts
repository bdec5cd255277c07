import { Worker } from 'node:worker_threads';
import type { WarnRarely } from '../rare-warnings.ts';
import type { ExchangeData, FromExchangeThread, ToExchangeThread } from './exchange-messages.ts';
import type { ExchangeLimits, HttpReply, HttpRequest } from './http-exchange.ts';
import type { KeptConnections } from './kept-connections.ts';
import { OutsideFault } from './outside-fault.ts';

/**
 * Exchanges requests for replies, in a thread of their own. The other end decides how long it takes to check its certificates,
 * or to read an answer in thousands of pieces, and it may be an attacker's. The server's own thread goes on meanwhile.
 */
export interface Exchanges {
  /** As `http-exchange.ts` says. Throws the signal's reason when it aborts. */
  exchange(request: HttpRequest, limits: ExchangeLimits): Promise<HttpReply>;
  /** Ends all connections. Exchanges under way, and all later ones, throw an `OutsideFault`. */
  close(): Promise<void>;
}

/** More than the replies of all requests that are under way at once need. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256 };

interface Pending {
  readonly resolve: (reply: HttpReply) => void;
  readonly reject: (reason: unknown) => void;
}

const THREAD = new URL('./exchange-worker.js', import.meta.url);

/** The thread is started with the first request. Should it end, a warning says so, and the next request starts another. */
export function createExchanges({
  purpose,
  warn,
  kept,
  thread = THREAD,
}: {
  /** What the requests are for, as the warning says. */
  purpose: string;
  warn: WarnRarely;
  kept?: KeptConnections;
  thread?: URL;
}): Exchanges {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let lastNumber = 0;
  let isClosed = false;

  function settle(number: number, outcome: (pending: Pending) => void): void {
    const one = pending.get(number);
    pending.delete(number);
    // A thread with nothing to do does not keep the process up.
    if (pending.size === 0) worker?.unref();
    if (one !== undefined) outcome(one);
  }

  function onMessage({ number, ...outcome }: FromExchangeThread): void {
    settle(number, ({ resolve, reject }) => {
      if ('reply' in outcome) resolve(outcome.reply);
      else
        reject(
          'fault' in outcome ? new OutsideFault(outcome.fault.code, outcome.fault.message) : new Error(outcome.bug),
        );
    });
  }

  function start(): Worker {
    const data: ExchangeData = kept;
    const started = new Worker(thread, {
      workerData: data,
      // A thread cannot start with some of the process's own, such as --input-type.
      execArgv: [],
      resourceLimits: RESOURCE_LIMITS,
    });
    const fail = (cause: unknown) => {
      if (worker !== started) return;
      worker = undefined;
      if (!isClosed) {
        const facts = { err: cause, purpose, requests: pending.size };
        warn(purpose, facts, 'a thread for requests to the outside ended, and broke its requests off');
      }
      const reason = isClosed ? stopping() : brokenOff(cause);
      for (const number of [...pending.keys()]) settle(number, ({ reject }) => reject(reason));
    };
    started.on('message', onMessage);
    started.on('error', fail);
    started.on('exit', (code) => fail(new Error(`the thread for requests to the outside ended with code ${code}`)));
    return started;
  }

  function post(message: ToExchangeThread): void {
    worker?.postMessage(message);
  }

  return {
    async exchange(request, { signal, maxBytes }) {
      if (isClosed) throw stopping();
      signal.throwIfAborted();
      worker ??= start();
      worker.ref();
      lastNumber += 1;
      const number = lastNumber;
      const onAbort = () => {
        post({ kind: 'abort', number });
        settle(number, ({ reject }) => reject(signal.reason));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return await new Promise<HttpReply>((resolve, reject) => {
          pending.set(number, { resolve, reject });
          post({ kind: 'request', number, request, maxBytes });
        });
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },

    async close() {
      isClosed = true;
      await worker?.terminate();
    },
  };
}

function brokenOff(cause: unknown): OutsideFault {
  return new OutsideFault('unavailable', 'this server broke the request off: its thread for requests ended', { cause });
}

function stopping(): OutsideFault {
  return new OutsideFault('unavailable', 'the server is stopping');
}
