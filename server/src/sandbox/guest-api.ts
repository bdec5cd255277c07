/** The host's functions, as the guest sees them. Both ends speak JSON text, so that no object crosses the border. */
interface HostFunctions {
  readonly call: (operation: string, argumentsJson: string) => string;
  readonly log: (level: string, text: string) => void;
}

/**
 * What the guest's own side offers to its instance. `run` answers with a letter and JSON text: `r` and the response, `e`
 * and the script's own error, `n` for a script that returned nothing to send, `f` and the failure of a script that threw.
 */
export interface GuestRuntime {
  define(handler: string, script: (message: unknown) => unknown): void;
  run(handler: string, inputJson: string, ...seeds: number[]): string;
}

/**
 * Installs `GameSparks()` in the guest. This function is never called here: its text is run inside of the sandbox, so it
 * must not use anything but its argument and the language. What a script changes in its guest, `Array.prototype` for
 * one, it changes for itself alone and for one invocation; nothing here has to withstand that for the sake of others.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: Its text has to be complete in itself.
export function installGuestApi({ call, log }: HostFunctions): GuestRuntime {
  const { parse, stringify } = JSON;
  const { freeze, defineProperty } = Object;
  const ownString = String;
  const handlers = new Map<string, (message: unknown) => unknown>();
  let playerId = '';
  let random = () => 0;

  class Response {
    readonly payload: unknown;
    constructor(payload: unknown) {
      this.payload = payload;
    }
  }

  /** What a call throws that fails. */
  class CallError extends Error {
    readonly code: string;
    constructor(code: string, message: string) {
      super(message);
      this.name = 'GameSparksError';
      this.code = code;
    }
  }

  /** What the script answers instead of a response; it may return it or throw it. */
  class OwnError extends CallError {}

  /** The JSON text of a list, which a `toJSON` that the script gives to all lists or objects does not change. */
  function listText(items: readonly unknown[]): string {
    let text = '[';
    for (let index = 0; index < items.length; index += 1) {
      text += `${index === 0 ? '' : ','}${stringify(items[index]) ?? 'null'}`;
    }
    return `${text}]`;
  }

  function ask(operation: string, ...parameters: unknown[]): unknown {
    const answer = parse(call(operation, listText(parameters)));
    if (answer.error !== undefined) throw new CallError(answer.error.code, answer.error.message);
    return answer.result;
  }

  function textOf(value: unknown): string {
    if (typeof value === 'string') return value;
    return (typeof value === 'object' && value !== null ? stringify(value) : undefined) ?? ownString(value);
  }

  const logging = freeze({
    Debug: (value: unknown) => log('debug', textOf(value)),
    Info: (value: unknown) => log('info', textOf(value)),
    Warn: (value: unknown) => log('warn', textOf(value)),
    Error: (value: unknown) => log('error', textOf(value)),
  });
  const messaging = freeze({
    Response: (payload: unknown) => new Response(payload),
    Error: (code: string, message: string) => new OwnError(ownString(code), ownString(message)),
    SendNotification: (name: string, payload: unknown, toPlayer?: string) => {
      ask('SendNotification', name, payload, toPlayer ?? playerId);
    },
    RaiseEvent: (name: string, payload: unknown) => {
      ask('RaiseEvent', name, payload);
    },
  });
  const player = (id: string) =>
    freeze({
      Id: () => id,
      GetData: (keys?: readonly string[]) => ask('GetData', id, keys),
      SetData: (values: unknown) => {
        ask('SetData', id, values);
      },
      Disconnect: (reason?: string) => ask('Disconnect', id, reason),
    });
  const lambda = (name: string) => freeze({ Invoke: (event: unknown) => ask('InvokeLambda', name, event) });
  const dynamoDb = freeze({
    GetItem: (table: string, key: unknown, options?: unknown) => ask('GetItem', table, key, options),
    PutItem: (table: string, item: unknown, options?: unknown) => ask('PutItem', table, item, options),
    UpdateItem: (table: string, key: unknown, options?: unknown) => ask('UpdateItem', table, key, options),
    DeleteItem: (table: string, key: unknown, options?: unknown) => ask('DeleteItem', table, key, options),
    Query: (table: string, options?: unknown) => ask('Query', table, options),
  });
  const http = freeze({ Fetch: (url: string, options?: unknown) => ask('Fetch', url, options) });
  const gameSparks = freeze({
    Logging: () => logging,
    Messaging: () => messaging,
    CurrentPlayer: () => player(playerId),
    Player: player,
    Lambda: lambda,
    DynamoDB: () => dynamoDb,
    Http: () => http,
  });
  defineProperty(globalThis, 'GameSparks', { value: () => gameSparks, writable: true, configurable: true });

  // QuickJS keeps the state of its own generator in memory that is put back before each invocation: all of them would
  // draw the same numbers.
  defineProperty(Math, 'random', { value: () => random(), writable: true, configurable: true });

  /** The generator sfc32 of 128 bits of state. */
  function seed(...seeds: readonly [number, number, number, number]): () => number {
    let [a, b, c, d] = seeds;
    return () => {
      const sum = (((a + b) | 0) + d) | 0;
      d = (d + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (c << 21) | (c >>> 11);
      c = (c + sum) | 0;
      return (sum >>> 0) / 4_294_967_296;
    };
  }

  function ownErrorOf({ code, message }: OwnError): string {
    return `e{"code":${stringify(ownString(code))},"message":${stringify(ownString(message))}}`;
  }

  function failureOf(thrown: unknown): string {
    let name = '';
    let message = '';
    let stack = '';
    try {
      if (typeof thrown === 'object' && thrown !== null) {
        const error = thrown as Partial<Error>;
        name = ownString(error.name ?? 'Error');
        message = ownString(error.message ?? '');
        stack = ownString(error.stack ?? '');
      } else {
        message = `${textOf(thrown)} was thrown`;
      }
    } catch {
      message = 'something was thrown that cannot be shown';
    }
    return `{"name":${stringify(name)},"message":${stringify(message)},"stack":${stringify(stack)}}`;
  }

  return {
    define(handler, script) {
      handlers.set(handler, script);
    },
    run(handler, inputJson, a = 0, b = 0, c = 0, d = 0) {
      random = seed(a, b, c, d);
      const input = parse(inputJson);
      playerId = input.playerId;
      try {
        const result = handlers.get(handler)?.(input.message);
        if (result instanceof Response) return `r${stringify(result.payload) ?? ''}`;
        return result instanceof OwnError ? ownErrorOf(result) : 'n';
      } catch (error) {
        return error instanceof OwnError ? ownErrorOf(error) : `f${failureOf(error)}`;
      }
    },
  };
}
