import { parentPort, workerData } from 'node:worker_threads';
import { lowerThreadPriority } from '../thread-priority.ts';
import type { ExchangeData, FromExchangeThread, ToExchangeThread } from './exchange-messages.ts';
import { exchange } from './http-exchange.ts';
import { createKeptAgents } from './kept-connections.ts';
import { OutsideFault } from './outside-fault.ts';

/** In Node.js's scale: on a busy processor, this thread gets about a third of what the server's own thread gets. */
const LOW_PRIORITY = 5;

lowerThreadPriority(LOW_PRIORITY);

const kept = workerData as ExchangeData;
const agents = kept && createKeptAgents(kept);
const underWay = new Map<number, AbortController>();

parentPort?.on('message', (message: ToExchangeThread) => {
  if (message.kind === 'abort') underWay.get(message.number)?.abort();
  else void perform(message);
});

async function perform({ number, request, maxBytes }: Extract<ToExchangeThread, { kind: 'request' }>): Promise<void> {
  const controller = new AbortController();
  underWay.set(number, controller);
  try {
    const agent = request.url.startsWith('https:') ? agents?.https : agents?.http;
    answer({ number, reply: await exchange(request, agent ?? false, { signal: controller.signal, maxBytes }) });
  } catch (error) {
    const { code, message } = error as OutsideFault;
    answer(
      error instanceof OutsideFault
        ? { number, fault: { code, message } }
        : { number, bug: String((error as Error).stack ?? error) },
    );
  } finally {
    underWay.delete(number);
  }
}

function answer(message: FromExchangeThread): void {
  parentPort?.postMessage(message);
}
