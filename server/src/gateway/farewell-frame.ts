import { encode, FAREWELL } from '@respark/protocol';
import type { FarewellWords } from '../disconnect-order.ts';
import type { TextFrame } from './player-socket.ts';

/** Made once for all connections of the player. */
export function farewellFrame(words: FarewellWords, requestId: string): TextFrame {
  const text = encode({ kind: 'notification', type: FAREWELL, payload: { ...words, requestId } });
  return { text, bytes: Buffer.byteLength(text) };
}
