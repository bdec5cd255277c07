/** The host's functions, as the guest sees them. Both ends speak JSON text, so that no object crosses the border. */
interface HostFunctions {
  readonly call: (operation: string, argumentsJson: string) => string;
  readonly log: (level: string, text: string) => void;
}

/**
 * What the guest's side offers to the host. `run` returns a letter and a text: `r` and the JSON of the response, `e`
 * and that of the script's own error, `n` and a word for what the script returned that gave no response, `f` and the
 * JSON of the failure of a script that threw.
 */
export interface GuestRuntime {
  define(handler: string, script: (message: unknown) => unknown): void;
  run(handler: string, inputJson: string, ...seeds: number[]): string;
}

/**
 * Installs `GameSparks()` in the guest. This function is never called here: its text is run inside the sandbox, so it
 * must use nothing but its argument and the language. What a script changes in its guest, such as `Array.prototype`, it
 * changes for itself alone and for one invocation, so nothing here has to withstand that for the sake of others.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: Its text has to be complete in itself.
export function installGuestApi({ call, log }: HostFunctions): GuestRuntime {
  const { parse, stringify } = JSON;
  const { freeze, defineProperty, keys } = Object;
  const { isArray } = Array;
  const { isFinite: isFiniteNumber } = Number;
  const ownString = String;
  const ownObject = Object;
  const handlers = new Map<string, (message: unknown) => unknown>();
  let playerId = '';
  let claims: unknown = {};
  let random = () => 0;

  class Response {
    readonly payload: unknown;
    constructor(payload: unknown) {
      this.payload = payload;
    }
  }

  /** What a failed call throws. */
  class CallError extends Error {
    readonly code: string;
    constructor(code: string, message: string) {
      super(message);
      this.name = 'GameSparksError';
      this.code = code;
    }
  }

  /** An error with which the script answers instead of a response; it may return or throw it. */
  class OwnError extends CallError {}

  /** The JSON text of a list, even where the script has given all lists or objects a `toJSON`. */
  function listText(items: readonly unknown[]): string {
    let text = '[';
    for (let index = 0; index < items.length; index += 1) {
      text += `${index === 0 ? '' : ','}${stringify(items[index]) ?? 'null'}`;
    }
    return `${text}]`;
  }

  function ask(operation: string, ...parameters: unknown[]): unknown {
    return send(operation, listText(parameters));
  }

  function send(operation: string, argumentsJson: string): unknown {
    const answer = parse(call(operation, argumentsJson));
    if (answer.error !== undefined) throw new CallError(answer.error.code, answer.error.message);
    return answer.result;
  }

  function textOf(value: unknown): string {
    if (typeof value === 'string') return value;
    return (typeof value === 'object' && value !== null ? stringify(value) : undefined) ?? ownString(value);
  }

  function lineOf(values: readonly unknown[]): string {
    let text = textOf(values[0]);
    for (let index = 1; index < values.length; index += 1) text += ` ${textOf(values[index])}`;
    return text;
  }

  function refuseNonFinite(key: string, value: unknown): unknown {
    if (typeof value !== 'number' || isFiniteNumber(value)) return value;
    throw new CallError('bad_argument', `SetData takes finite numbers only, got ${value} for ${stringify(key)}`);
  }

  /**
   * JSON writes NaN and infinity as null, and null removes a key: data would be lost silently. The search ends once it
   * has found as many nulls as the text has, because looking at every value takes as long as writing it.
   */
  function refuseNonFiniteIn(values: object, text: string): void {
    let unexplained = text.split('null').length - 1;
    const objects = [values as Record<string, unknown>];
    for (let at = 0; at < objects.length; at += 1) {
      const object = objects[at] ?? {};
      if (object.toJSON !== undefined) return void stringify(values, refuseNonFinite);
      for (const name of keys(object)) {
        const value = object[name];
        if (value === null) {
          unexplained -= 1;
          if (unexplained === 0) return;
        } else if (typeof value === 'object') objects[objects.length] = value as typeof object;
        else if (typeof value === 'number') refuseNonFinite(name, value);
      }
    }
  }

  function setData(id: string, values: unknown): void {
    const text = stringify(values) ?? 'null';
    if (text.includes('null') && typeof values === 'object' && values !== null) refuseNonFiniteIn(values, text);
    send('SetData', `[${stringify(id) ?? 'null'},${text}]`);
  }

  const logging = freeze({
    Debug: (...values: unknown[]) => log('debug', lineOf(values)),
    Info: (...values: unknown[]) => log('info', lineOf(values)),
    Warn: (...values: unknown[]) => log('warn', lineOf(values)),
    Error: (...values: unknown[]) => log('error', lineOf(values)),
  });
  const messaging = freeze({
    Response: (payload: unknown) => new Response(payload),
    Error: (code: string, message?: string) => new OwnError(ownString(code), ownString(message ?? code)),
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
      SetData: (values: unknown) => setData(id, values),
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
    CurrentPlayer: () => freeze({ ...player(playerId), Claims: () => claims }),
    Player: player,
    Lambda: lambda,
    DynamoDB: () => dynamoDb,
    Http: () => http,
  });
  defineProperty(globalThis, 'GameSparks', { value: () => gameSparks, writable: true, configurable: true });

  // QuickJS keeps the state of its own generator in memory that is put back before each invocation: all of them would
  // draw the same numbers.
  defineProperty(Math, 'random', { value: () => random(), writable: true, configurable: true });

  /** Returns an sfc32 generator, which has 128 bits of state. */
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

  /** What the script returned instead of a response, in a word for `endingOf`. */
  function insteadOf(result: unknown): string {
    if (result === undefined) return 'nothing';
    if (result === null || typeof result !== 'object') return result === null ? 'null' : typeof result;
    if (result instanceof Promise) return 'promise';
    return isArray(result) ? 'array' : 'object';
  }

  function failureOf(thrown: unknown): string {
    let name = '';
    let message = '';
    let stack = '';
    try {
      const error = ownObject(thrown) as Partial<CallError>;
      if (error === thrown && error.message !== undefined) {
        name = ownString(error.name ?? 'Error');
        if (thrown instanceof CallError) name += ` [${ownString(error.code)}]`;
        message = ownString(error.message ?? '');
        stack = ownString(error.stack ?? '');
      } else {
        const value =
          typeof thrown === 'function' ? 'a function' : typeof thrown === 'string' ? stringify(thrown) : textOf(thrown);
        message = `${value} was thrown, which does not say where: throw new Error("…") does`;
      }
    } catch {
      message = 'something was thrown that cannot be shown';
    }
    return `{"name":${stringify(name)},"message":${stringify(message)},"stack":${stringify(stack)}}`;
  }

  /** What was thrown may throw again when it is asked what it is; the script has failed all the same. */
  function thrownOf(thrown: unknown): string {
    try {
      if (thrown instanceof OwnError) return ownErrorOf(thrown);
    } catch {
      // A value that throws here is not treated as the script's own error.
    }
    return `f${failureOf(thrown)}`;
  }

  return {
    define(handler, script) {
      handlers.set(handler, script);
    },
    run(handler, inputJson, a = 0, b = 0, c = 0, d = 0) {
      random = seed(a, b, c, d);
      const input = parse(inputJson);
      playerId = input.playerId;
      claims = input.claims ?? {};
      try {
        const result = handlers.get(handler)?.(input.message);
        if (result instanceof Response) return `r${stringify(result.payload) ?? ''}`;
        return result instanceof OwnError ? ownErrorOf(result) : `n${insteadOf(result)}`;
      } catch (error) {
        return thrownOf(error);
      }
    },
  };
}
