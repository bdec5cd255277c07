import { type Disconnect, ResparkClient, type Socket, type SocketConstructor, type Welcome } from '@respark/client';

/** What has crossed the socket, without the tokens that were in it. */
export interface Frame {
  readonly direction: 'sent' | 'received';
  /** As the protocol names it, such as `request`. */
  readonly kind: string;
  readonly type: string | undefined;
  /** What it carries, as a person reads it. */
  readonly content: unknown;
  /** How long after its request an answer has come. */
  readonly afterMs?: number;
}

export interface TestPlayer {
  connect(): Promise<Welcome>;
  request(type: string, payload: Readonly<Record<string, unknown>>): Promise<unknown>;
  event(type: string, payload: Readonly<Record<string, unknown>>): void;
  close(): void;
}

/** The only file that knows the SDK of players, which is loaded with the page that plays. */
export function createTestPlayer({
  url,
  gameKey,
  token,
  hidden,
  onFrame,
  onFault,
  onEnd,
}: {
  url: string;
  gameKey: string;
  token: string | undefined;
  /** What is shown in place of a token. */
  hidden: string;
  onFrame: (frame: Frame) => void;
  onFault: (message: string) => void;
  onEnd: (closure: Disconnect) => void;
}): TestPlayer {
  const client = new ResparkClient({
    url,
    gameKey,
    token,
    WebSocket: watched(createReader({ hidden, onFrame })),
    // The page is to show that the connection has ended, not open another one.
    reconnect: { maxRetries: 0 },
  });
  client.on('error', ({ message }) => onFault(message));
  client.on('disconnect', onEnd);
  return {
    connect: () => client.connect(),
    request: (type, payload) => client.request(type, payload),
    event: (type, payload) => client.event(type, payload),
    close: () => void client.close(),
  };
}

type Read = (direction: Frame['direction'], text: string) => void;

/** The browser's WebSocket, which reports all that crosses it. */
function watched(read: Read): SocketConstructor {
  return class extends WebSocket implements Socket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => read('received', String(data)));
    }

    override send(text: string): void {
      read('sent', text);
      super.send(text);
    }
  };
}

/** How many requests may wait for answers: as many as a person could send by hand. */
const MAX_WAITING = 100;

function createReader({ hidden, onFrame }: { hidden: string; onFrame: (frame: Frame) => void }): Read {
  const waiting = new Map<string, { readonly type: string; readonly at: number }>();
  return (direction, text) => {
    const { kind = '', id, type, payload, ...rest } = parse(text);
    if (kind === 'heartbeat') return;
    const name = typeof type === 'string' ? type : undefined;
    if (kind === 'request' && waiting.size < MAX_WAITING)
      waiting.set(String(id), { type: name ?? '', at: performance.now() });
    const asked = kind === 'response' || kind === 'error' ? waiting.get(String(id)) : undefined;
    waiting.delete(direction === 'received' ? String(id) : '');
    onFrame({
      direction,
      kind: String(kind),
      type: name ?? asked?.type,
      content: withoutTokens(payload ?? rest, hidden),
      ...(asked && { afterMs: performance.now() - asked.at }),
    });
  };
}

const parse = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null ? (frame as Record<string, unknown>) : {};
  } catch {
    return { kind: 'unreadable', text };
  }
};

/** Hides tokens, because a person who sees one on the screen, or in a picture of it, could play as the player. */
function withoutTokens(content: unknown, hidden: string): unknown {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return content;
  return Object.fromEntries(
    Object.entries(content).map(([name, value]) => [
      name,
      (name === 'token' || name === 'AuthenticationToken') && typeof value === 'string' ? hidden : value,
    ]),
  );
}
