import { BINARY, frame, TEXT } from '../fire/raw-websocket.ts';
import { chop, inFragments } from './autobahn-cases.ts';

/**
 * A case of the Autobahn test suite in which a message, or each of many, comes back as it was sent. With so many of them
 * and such long ones, the bytes are only made when they are needed.
 */
export interface SizeCase {
  readonly id: string;
  readonly title: string;
  readonly opcode: number;
  readonly payload: () => Buffer;
  /** The bytes that the client sends for one message, chopped. */
  readonly chunks: () => readonly Buffer[];
  /** How many messages the client sends, each after the last one has come back. */
  readonly messages: number;
}

const [KB, MB] = [1_024, 1_048_576];

function sizeCase(
  id: string,
  title: string,
  {
    length,
    fragment,
    chopped,
    messages = 1,
  }: { length: number; fragment?: number; chopped?: number; messages?: number },
): SizeCase {
  // The second number of group 9 is odd for text and even for bytes; group 1.2 is about bytes.
  const opcode = Number(id.split('.')[1]) % 2 === 0 ? BINARY : TEXT;
  const payload = () => Buffer.alloc(length, opcode === TEXT ? 'BAsd7&jh23' : Buffer.from('fe00ff80c3', 'hex'));
  const bytes = () =>
    fragment === undefined ? frame({ opcode, payload: payload() }) : inFragments(opcode, payload(), fragment);
  return {
    id,
    title,
    opcode,
    payload,
    messages,
    chunks: () => (chopped === undefined ? [bytes()] : chop(bytes(), chopped)),
  };
}

const sizeOf = (bytes: number) =>
  bytes < KB ? `${bytes} bytes` : bytes < MB ? `${bytes / KB} KB` : `${bytes / MB} MB`;

/** Cases of a group for text, and of the next one for bytes. */
function twice(group: number, each: (id: string, index: number) => SizeCase, count: number): SizeCase[] {
  return [group, group + 1].flatMap((group) =>
    Array.from({ length: count }, (_, index) => each(`9.${group}.${index + 1}`, index)),
  );
}

const LENGTHS = [64 * KB, 256 * KB, MB, 4 * MB, 8 * MB, 16 * MB];
const FRAGMENTS = [64, 256, KB, 4 * KB, 16 * KB, 64 * KB, 256 * KB, MB, 4 * MB];
const CHOPS = [64, 128, 256, 512, KB, 2 * KB];
const SHORT = [0, 16, 64, 256, KB, 4 * KB];

/** Groups 1.2 and 9. */
export const SIZE_CASES: readonly SizeCase[] = [
  ...[0, 125, 126, 127, 128, 65_535, 65_536].map((length, index) =>
    sizeCase(`1.2.${index + 1}`, `${length} bytes`, { length }),
  ),
  sizeCase('1.2.8', 'bytes in chops of 997', { length: 65_536, chopped: 997 }),
  ...twice(
    1,
    (id, index) => sizeCase(id, sizeOf(LENGTHS[index] ?? 0), { length: LENGTHS[index] ?? 0 }),
    LENGTHS.length,
  ),
  ...twice(
    3,
    (id, index) => {
      const fragment = FRAGMENTS[index] ?? 1;
      return sizeCase(id, `4 MB in fragments of ${sizeOf(fragment)}`, { length: 4 * MB, fragment });
    },
    FRAGMENTS.length,
  ),
  ...twice(
    5,
    (id, index) => {
      const chopped = CHOPS[index] ?? 1;
      return sizeCase(id, `1 MB in chops of ${sizeOf(chopped)}`, { length: MB, chopped });
    },
    CHOPS.length,
  ),
  ...twice(
    7,
    (id, index) => {
      const length = SHORT[index] ?? 0;
      return sizeCase(id, `a thousand times ${sizeOf(length)}`, { length, messages: 1_000 });
    },
    SHORT.length,
  ),
];
