import type { MessagePort } from 'node:worker_threads';
import { parseJson } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import { andThen, type MaybePromise, orElse } from '../maybe-promise.ts';
import { PayloadFault, type PayloadReader } from '../payloads.ts';
import type { RandomBytes } from '../random.ts';
import { AnswerBox } from './bridge.ts';
import { type Finished, type Guest, OUT_OF_MEMORY, type Seeds, WRAPPER_START } from './guest.ts';
import { Guests, type Ready } from './guests.ts';
import { withHint } from './hints.ts';
import { hasMoreValues } from './json-values.ts';
import type { Ending, ScriptFailure, ScriptLine } from './sandbox.ts';
import { SENT_AWAY, SentAhead } from './sent-ahead.ts';
import type { FromThread, ThreadData, ThreadLimits, ToThread } from './thread-messages.ts';

const WARM_UP_INVOCATIONS = 100;
const SEED_BYTES = 16;
const MAX_FAILURE_CHARACTERS = 1_024;

/** What one invocation has done so far. */
interface Running {
  readonly jobId: number;
  readonly guest: Guest;
  readonly lines: ScriptLine[];
  lineBytes: number;
  linesDropped: number;
  calls: number;
}

/**
 * The work of one thread of `pool.ts`: one invocation after the other. Calls block the thread, so an invocation must
 * not await.
 */
export class ScriptThread {
  readonly #port: MessagePort;
  readonly #answers: AnswerBox;
  readonly #sentAhead: SentAhead;
  readonly #limits: ThreadLimits;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #guests: Guests;
  /** The number of the latest call of any invocation, in 32 bits, as the answer box keeps it. */
  #callNumber = 0;
  #running: Running | undefined;
  /** The handling of the newest message, until it is done. */
  #last: MaybePromise<void> = undefined;

  constructor({
    port,
    data: { engine, answers, sentAhead, limits },
    clock,
    random,
  }: {
    port: MessagePort;
    data: ThreadData;
    clock: Clock;
    random: RandomBytes;
  }) {
    this.#port = port;
    this.#answers = new AnswerBox(answers);
    this.#sentAhead = new SentAhead(sentAhead);
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    const host = {
      call: (operation: string, readParameters: () => string) => this.#call(operation, readParameters),
      log: (level: ScriptLine['level'], readText: () => string) => this.#log(level, readText),
    };
    this.#guests = new Guests({ engine, host, limits, clock, maxBytes: limits.maxGuestBytes });
  }

  listen(): void {
    this.#inTurn(() => this.#warmUp());
    this.#port.on('message', (message: ToThread) =>
      this.#inTurn(() => (message.kind === 'load' ? this.#load(message) : this.#invoke(message))),
    );
  }

  /** Messages are handled one after the other, although making a guest takes an await. */
  #inTurn(work: () => MaybePromise<void>): void {
    const last = andThen(this.#last, work);
    this.#last = last;
    if (!(last instanceof Promise)) return;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
  }

  /** Makes the first guest of the thread, which takes ten times as long as the next. */
  async #warmUp(): Promise<void> {
    const guest = await this.#guests.make();
    const set = guest.load(new Map([['warm-up', 'return GameSparks().Messaging().Response(message);']]));
    for (let count = 0; count < WARM_UP_INVOCATIONS; count += 1) {
      guest.invoke(set, 'warm-up', '{"playerId":"","message":{}}', [count, 2, 3, 4]);
      guest.rest(set);
    }
    this.#post({ kind: 'ready' });
  }

  async #load({ runtime }: Extract<ToThread, { kind: 'load' }>): Promise<void> {
    let fault: string | undefined;
    try {
      await this.#guests.load(runtime);
    } catch (error) {
      fault = String(error);
    }
    this.#post({ kind: 'loaded', fault });
  }

  #invoke(message: Extract<ToThread, { kind: 'invoke' }>): MaybePromise<void> {
    const { jobId, runtimeId, number } = message;
    if (this.#sentAhead.isTaken(number)) return;
    // Scripts that cannot be loaded again count as missing. The pool then sends them once more, and hears of the fault.
    const found = orElse(
      () => this.#guests.find(runtimeId),
      () => undefined,
    );
    return andThen(found, (ready) => {
      // Only now, because it may have taken the scripts a while to be loaded again.
      if (!this.#sentAhead.take(number)) this.#leaveOut(message);
      else if (ready === undefined) this.#post({ kind: 'missing', jobId });
      else this.#run(ready, message);
    });
  }

  /** Reports a message that the pool has forbidden. Of one that it has taken back, it expects to hear nothing. */
  #leaveOut({ jobId, number }: Extract<ToThread, { kind: 'invoke' }>): void {
    if (!this.#sentAhead.takeForbidden(number)) return;
    this.#post({ kind: 'ended', jobId, ending: { kind: 'busy', why: SENT_AWAY }, lines: [], linesDropped: 0 });
  }

  #run(
    { guest, set, findResponseReader }: Ready,
    { jobId, handler, inputJson }: Extract<ToThread, { kind: 'invoke' }>,
  ): void {
    const running: Running = { jobId, guest, lines: [], lineBytes: 0, linesDropped: 0, calls: 0 };
    this.#running = running;
    const finished = guest.invoke(set, handler, inputJson, seedsOf(this.#random(SEED_BYTES)));
    this.#running = undefined;
    const { lines, linesDropped } = running;
    const ending = fitted(endingOf(handler, finished, this.#limits), findResponseReader(handler));
    this.#post({ kind: 'ended', jobId, ending, lines, linesDropped });
    guest.rest(set);
  }

  /** Asks the host and blocks this thread until the answer comes. */
  #call(operation: string, readParameters: () => string): string {
    const running = this.#running;
    if (running === undefined || running.guest.isOver) return refusal('stopped', 'the script has used up its time');
    const { maxHostCalls, maxCallBytes } = this.#limits;
    running.calls += 1;
    if (running.calls > maxHostCalls) {
      running.guest.exhaust();
      return refusal('too_many_calls', `a script may make ${callsText(this.#limits)}`);
    }
    const parametersJson = readParameters();
    const bytes = Buffer.byteLength(parametersJson);
    if (bytes > maxCallBytes) {
      const most = `at most ${maxCallBytes} bytes (RESPARK_SCRIPT_MAX_CALL_BYTES)`;
      return refusal('too_large', `the arguments of a call may have ${most}, got ${bytes}`);
    }
    if (hasMoreValues(parametersJson, this.#limits.maxValues)) {
      return refusal('too_large', `the arguments of a call may have ${valuesText(this.#limits)}, got more`);
    }
    this.#callNumber = (this.#callNumber + 1) | 0;
    const askedAt = this.#clock.monotonic();
    this.#post({ kind: 'call', jobId: running.jobId, number: this.#callNumber, operation, parametersJson });
    const answer = this.#answers.take(this.#callNumber);
    running.guest.addTime(this.#clock.monotonic() - askedAt);
    return answer;
  }

  #log(level: ScriptLine['level'], readText: () => string): void {
    const running = this.#running;
    const { maxLines, maxLineBytes } = this.#limits;
    if (running === undefined) return;
    if (running.lines.length >= maxLines || running.lineBytes >= maxLineBytes) {
      running.linesDropped += 1;
      return;
    }
    const { text, bytes } = beginningOf(readText(), maxLineBytes - running.lineBytes);
    running.lineBytes += bytes;
    running.lines.push({ level, text });
  }

  #post(message: FromThread): void {
    this.#port.postMessage(message);
  }
}

/** As much of a text as has at most so many bytes of UTF-8. */
function beginningOf(text: string, maxBytes: number): { readonly text: string; readonly bytes: number } {
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(Math.min(maxBytes, 3 * text.length)));
  return { text: text.slice(0, read), bytes: written };
}

function seedsOf(bytes: Uint8Array): Seeds {
  const words = new DataView(bytes.buffer, bytes.byteOffset, SEED_BYTES);
  return [words.getInt32(0), words.getInt32(4), words.getInt32(8), words.getInt32(12)];
}

function endingOf(handler: string, finished: Finished, limits: ThreadLimits): Ending {
  if (finished.kind === 'stopped') return { kind: 'stopped', why: whyStopped(finished.by, limits) };
  if (finished.kind === 'broken') return { kind: 'stopped', why: finished.cause };
  const [letter, text] = [finished.text[0], finished.text.slice(1)];
  switch (letter) {
    case 'r':
      return text === '' ? { kind: 'returned', response: undefined, instead: 'no payload' } : responseOf(text, limits);
    case 'e': {
      const { code, message } = textsOf(text);
      return { kind: 'refused', code: shortened(code), message: shortened(message) };
    }
    case 'f': {
      const thrown = textsOf(text);
      if (isOutOfMemory(thrown)) return { kind: 'stopped', why: OUT_OF_MEMORY };
      return { kind: 'failed', failure: failureOf(handler, thrown) };
    }
    default:
      return { kind: 'returned', response: undefined, instead: shortened(text) };
  }
}

function responseOf(response: string, limits: ThreadLimits): Ending {
  const bytes = Buffer.byteLength(response);
  if (bytes > limits.maxResponseBytes) {
    const most = `at most ${limits.maxResponseBytes} (RESPARK_SCRIPT_MAX_RESPONSE_BYTES)`;
    return { kind: 'stopped', why: `its response has ${bytes} bytes, and may have ${most}` };
  }
  if (hasMoreValues(response, limits.maxValues)) {
    return { kind: 'stopped', why: `its response may have ${valuesText(limits)}, and has more` };
  }
  return { kind: 'returned', response };
}

/** Fits the response to its shape in this thread, because a long one takes milliseconds. */
function fitted(ending: Ending, read: PayloadReader | undefined): Ending {
  if (read === undefined || ending.kind !== 'returned' || ending.response === undefined) return ending;
  const answer = read(parseJson(ending.response));
  if (answer instanceof PayloadFault) return { kind: 'unfit', fault: answer.text };
  const response = JSON.stringify(answer.payload);
  return answer.unknown.length === 0 ? { ...ending, response } : { ...ending, response, unknown: answer.unknown };
}

function valuesText({ maxValues }: ThreadLimits): string {
  return `at most ${maxValues} values in its lists and objects (RESPARK_SCRIPT_MAX_VALUES)`;
}

function callsText({ maxHostCalls }: ThreadLimits): string {
  return `at most ${maxHostCalls} calls for a message (RESPARK_SCRIPT_MAX_CALLS)`;
}

function whyStopped(by: 'ticks' | 'time' | 'calls', limits: ThreadLimits): string {
  switch (by) {
    case 'ticks':
      return `it computed more than ${limits.maxTicks} ticks (RESPARK_SCRIPT_MAX_TICKS): is there a loop without an end?`;
    case 'time':
      return `it took more than ${limits.maxBusyMs} ms besides its calls (RESPARK_SCRIPT_MAX_BUSY_MS)`;
    case 'calls':
      return `it may make ${callsText(limits)}, and made more`;
  }
}

/**
 * Whether it is the engine's own error, which leaves the engine in good order. A script that throws its like fools only
 * itself.
 */
function isOutOfMemory({ name, message }: Readonly<Record<string, string>>): boolean {
  return name === 'InternalError' && message === 'out of memory';
}

/** The members of an object that `guest-api.ts` has written. */
function textsOf(json: string): Readonly<Record<string, string>> {
  return JSON.parse(json);
}

function shortened(text = ''): string {
  return text.slice(0, MAX_FAILURE_CHARACTERS);
}

/** The script may have written all of it, the stack too, so only its author gets to see it. */
function failureOf(
  handler: string,
  { name = '', message = '', stack = '' }: Readonly<Record<string, string>>,
): ScriptFailure {
  const text = withHint(shortened(name === '' ? message : `${name}: ${message}`));
  const at = stack.split(`(${handler}:`)[1]?.match(/^(\d{1,7}):(\d{1,7})\)/);
  if (!at) return { text, line: undefined, column: undefined };
  const [line, column] = [Number(at[1]), Number(at[2])];
  return { text, line, column: line === 1 ? Math.max(1, column - WRAPPER_START.length) : column };
}

function refusal(code: string, message: string): string {
  return JSON.stringify({ error: { code, message } });
}
