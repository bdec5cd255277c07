import { parseJson } from '@respark/protocol';
import type { HostAnswer } from './sandbox.ts';

/** The longest answer of the host, in bytes of JSON in UTF-8. */
export const MAX_ANSWER_BYTES = 1_048_576;

const CONTROL_BYTES = 8;
const NUMBER = 0;
const LENGTH = 1;

/**
 * The memory through which the host answers a call of a thread, which is blocked meanwhile. Each call has a number, and
 * the thread goes on only when it sees the number of its own call: otherwise a thread that wakes late could take one
 * answer for the answer to the next call. The host answers each call exactly once.
 */
export class AnswerBox {
  readonly memory: SharedArrayBuffer;
  readonly #control: Int32Array;
  readonly #bytes: Buffer;

  constructor(memory = new SharedArrayBuffer(CONTROL_BYTES + MAX_ANSWER_BYTES)) {
    this.memory = memory;
    this.#control = new Int32Array(memory, 0, 2);
    this.#bytes = Buffer.from(memory, CONTROL_BYTES);
  }

  /** For the host. The text must not be longer than MAX_ANSWER_BYTES. */
  put(number: number, text: string): void {
    this.#control[LENGTH] = this.#bytes.write(text);
    Atomics.store(this.#control, NUMBER, number);
    Atomics.notify(this.#control, NUMBER);
  }

  /** For the thread: waits until the answer to the call of this number is there. */
  take(number: number): string {
    for (;;) {
      const seen = Atomics.load(this.#control, NUMBER);
      if (seen === number) return this.#bytes.toString('utf8', 0, this.#control[LENGTH]);
      Atomics.wait(this.#control, NUMBER, seen);
    }
  }
}

/** The text of an answer for the box. */
export function answerText(answer: HostAnswer): string {
  const text = 'resultJson' in answer ? `{"result":${answer.resultJson}}` : JSON.stringify(answer);
  if (Buffer.byteLength(text) <= MAX_ANSWER_BYTES) return text;
  const message = `the answer has more than ${MAX_ANSWER_BYTES} bytes`;
  return JSON.stringify({ error: { code: 'too_large', message } });
}

/**
 * The parameters of a call. Undefined for text that is not a JSON array, which only a script that has broken its guest
 * can send.
 */
export function parametersOf(json: string): readonly unknown[] | undefined {
  try {
    const parameters = parseJson(json);
    return Array.isArray(parameters) ? parameters : undefined;
  } catch {
    return undefined;
  }
}
