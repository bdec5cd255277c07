import { OutsideFault } from './outside-fault.ts';

/** Reads a reply that may not be longer than `maxBytes`; a longer one is cut off. */
export async function readReply(body: AsyncIterable<Uint8Array>, maxBytes: number, whose: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // To leave the loop destroys the stream.
    if (bytes > maxBytes) {
      const limit = `${maxBytes} bytes that RESPARK_OUTSIDE_MAX_RESPONSE_BYTES allows`;
      throw new OutsideFault('too_large', `the answer of ${whose} has more than the ${limit}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
