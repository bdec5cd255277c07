import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';

/** An event as a webhook's body has it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly game: string;
  readonly stage?: string;
  readonly player?: string;
  readonly node: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface WebhookReceiver {
  readonly url: string;
  /** What was accepted, each event once, in the order in which it first came. */
  readonly events: readonly ReceivedEvent[];
  /** How many requests came, with repetitions and those that were refused. */
  readonly requests: number;
  /** Events whose signature the reference implementation does not accept, as soon as there is a secret. */
  readonly forged: readonly string[];
  /** From now on signatures are checked. */
  trust(secret: string): void;
  /** From now on requests are answered with this status; 0 has them cut off. */
  answer(status: number | ((event: ReceivedEvent) => number), headers?: Readonly<Record<string, string>>): void;
  /** Resolves when the events are as the test wants them; fails after a minute. */
  until(holds: (events: readonly ReceivedEvent[]) => boolean): Promise<void>;
}

/** A receiver as a game's backend would have one: it checks each signature and takes each event once. */
export async function startReceiver(t: TestContext): Promise<WebhookReceiver> {
  const events: ReceivedEvent[] = [];
  const seen = new Set<string>();
  const forged: string[] = [];
  const looks = new Set<() => void>();
  let requests = 0;
  let statusOf: (event: ReceivedEvent) => number = () => 204;
  let headersOfAnswer: Readonly<Record<string, string>> = {};
  let webhook: Webhook | undefined;

  function take(request: IncomingMessage, body: string): number {
    const event: ReceivedEvent = JSON.parse(body);
    const status = statusOf(event);
    if (status < 200 || status > 299) return status;
    try {
      webhook?.verify(body, request.headers as Record<string, string>);
    } catch {
      forged.push(event.id);
    }
    if (seen.has(event.id)) return status;
    seen.add(event.id);
    events.push(event);
    return status;
  }

  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      requests += 1;
      const status = take(request, body);
      if (status === 0) request.socket.destroy();
      else response.writeHead(status, headersOfAnswer).end();
      for (const look of looks) look();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    events,
    forged,
    get requests() {
      return requests;
    },
    trust(secret) {
      webhook = new Webhook(secret);
    },
    answer(status, headers = {}) {
      statusOf = typeof status === 'number' ? () => status : status;
      headersOfAnswer = headers;
    },
    until: (holds) =>
      new Promise((resolve, reject) => {
        const fail = () => reject(new Error(`not received: ${JSON.stringify(events.map(({ type }) => type))}`));
        const timer = setTimeout(fail, 60_000);
        const look = () => {
          if (!holds(events)) return;
          clearTimeout(timer);
          looks.delete(look);
          resolve();
        };
        looks.add(look);
        look();
      }),
  };
}
