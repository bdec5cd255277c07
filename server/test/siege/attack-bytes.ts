import { frame, text } from '../fire/raw-websocket.ts';

/** About what one frame of a player may have. */
export const FRAME_BYTES = 16_000;

export function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

export function requestOf(type: string, payloadText: string): Uint8Array {
  return text(`{"kind":"request","id":"1","type":"${type}","payload":${payloadText}}`);
}

/** A payload with one member of about `bytes` bytes: begin, as many parts as fit, end. */
export function payload(begin: string, part: (at: number) => string, end: string, bytes = FRAME_BYTES): string {
  return `{"x":${begin}${fill(bytes - 200, part)}${end}}`;
}

export function fill(bytes: number, part: (at: number) => string): string {
  let filling = '';
  for (let at = 0; filling.length < bytes; at += 1) filling += part(at);
  return filling;
}

/** Short words that V8 has not seen together before cost it most. */
export function word(at: number): string {
  return ((at * 7_919 + 1_000) % 46_656).toString(36);
}

export function query(bytes: number): string {
  return fill(bytes, (at) => `${word(at)}=%20&`).slice(0, -1);
}

export function pieces(message: string, bytes: number): Uint8Array {
  const parts = message.match(new RegExp(`.{1,${bytes}}`, 'gs')) ?? [];
  return Buffer.concat(
    parts.map((part, at) => frame({ opcode: at === 0 ? 1 : 0, payload: part, isFinal: at === parts.length - 1 })),
  );
}
