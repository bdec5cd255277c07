import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { StartupError } from '../startup-error.ts';

// A backup is a gzipped tar file, so that it can be opened without this program. Its first member says what follows.

const MANIFEST = 'respark-backup.json';
const FORMAT = 1;
const MAX_MANIFEST_BYTES = 65_536;
const MAX_PARTS = 100;
const BLOCK = 512;
/** What may follow the last part: two blocks of zeros, which other programs fill up to twenty or more. */
const MAX_END_BYTES = 65_536;
const PRIVATE_MODE = 0o600;

/** One file of a backup. */
export interface Part {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a backup says about itself. */
export interface Manifest {
  readonly product: 'respark';
  readonly format: typeof FORMAT;
  /** The version of the program that made it. */
  readonly version: string;
  /** An ISO 8601 time: every change that was answered before is in the backup. */
  readonly madeAt: string;
  readonly parts: readonly Part[];
}

/** Called with the bytes so far, of all. */
export type Progress = (done: number, all: number) => void;

/** Writes `names` of `directory` into `file`, which must not exist. The file is private, and on disk at the end. */
export async function writeArchive({
  file,
  directory,
  names,
  version,
  madeAt,
  progress,
}: {
  file: string;
  directory: string;
  names: readonly string[];
  version: string;
  madeAt: string;
  progress: Progress;
}): Promise<Manifest> {
  const parts: Part[] = [];
  for (const name of names) parts.push(await measure(directory, name));
  const manifest: Manifest = { product: 'respark', format: FORMAT, version, madeAt, parts };
  const seconds = Math.floor(Date.parse(madeAt) / 1000);
  const all = parts.reduce((sum, { bytes }) => sum + bytes, 0);

  async function* members(): AsyncGenerator<Buffer> {
    const text = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
    yield* [header(MANIFEST, text.length, seconds), text, padding(text.length)];
    let done = 0;
    for (const { name, bytes } of parts) {
      yield header(name, bytes, seconds);
      for await (const chunk of createReadStream(`${directory}/${name}`)) {
        yield chunk;
        done += chunk.length;
        progress(done, all);
      }
      yield padding(bytes);
    }
    yield Buffer.alloc(2 * BLOCK);
  }

  const target = createWriteStream(file, { flags: 'wx', mode: PRIVATE_MODE, flush: true });
  await pipeline(Readable.from(members(), { objectMode: false }), createGzip({ level: 1 }), target);
  return manifest;
}

async function measure(directory: string, name: string): Promise<Part> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(`${directory}/${name}`)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { name, bytes, sha256: hash.digest('hex') };
}

/**
 * Reads a backup and writes its files into `directory`, private and on disk. `begin` gets the manifest before anything
 * is written, and may throw. Throws a `StartupError` for everything that is not a whole backup with only `names` in it.
 * Leaves `source` open; `file` is its name for messages.
 */
export async function readArchive({
  source,
  file,
  directory,
  names,
  begin,
  progress,
}: {
  source: FileHandle;
  file: string;
  directory: string;
  names: readonly string[];
  begin: (manifest: Manifest) => void;
  progress: Progress;
}): Promise<Manifest> {
  try {
    const bytes = new ByteReader(source.createReadStream({ autoClose: false }));
    const manifest = await readManifest(bytes, { file, names });
    begin(manifest);
    const all = manifest.parts.reduce((sum, part) => sum + part.bytes, 0);
    let done = 0;
    for (const part of manifest.parts) {
      const member = parseHeader(await bytes.take(BLOCK));
      if (member?.name !== part.name || member.bytes !== part.bytes)
        throw damaged(file, `${part.name} is not in place`);
      await extract(bytes, { part, path: `${directory}/${part.name}`, file }, (count) => {
        done += count;
        progress(done, all);
      });
      await bytes.take(padding(part.bytes).length);
    }
    await bytes.drain(MAX_END_BYTES);
    return manifest;
  } catch (error) {
    throw isOfContent(error) ? damaged(file, error.message, error) : error;
  }
}

async function readManifest(
  bytes: ByteReader,
  { file, names }: { file: string; names: readonly string[] },
): Promise<Manifest> {
  const first = await bytes.take(BLOCK).catch((error: unknown) => {
    if (isOfContent(error)) return undefined;
    throw error;
  });
  const member = first && parseHeader(first);
  if (member?.name !== MANIFEST || member.bytes > MAX_MANIFEST_BYTES) {
    throw new StartupError(`${file} is not a backup of Respark: give a file that "respark backup" has made`);
  }
  const text = (await bytes.take(member.bytes)).toString();
  await bytes.take(padding(member.bytes).length);
  const manifest = parseManifest(text);
  if (manifest === undefined) throw damaged(file, 'its table of contents cannot be read');
  if (manifest.format !== FORMAT) {
    throw new StartupError(
      `${file} was made by respark ${manifest.version} in a form that this program does not know: use that version or a newer one`,
    );
  }
  const unknown = manifest.parts.find(({ name }) => !names.includes(name));
  if (unknown !== undefined) throw damaged(file, `it has a file ${JSON.stringify(unknown.name)} that no backup has`);
  const twice = manifest.parts.find(
    ({ name }, index) => manifest.parts.findIndex((part) => part.name === name) < index,
  );
  if (twice !== undefined) throw damaged(file, `it has ${twice.name} twice`);
  return manifest;
}

/** Undefined for anything that is not of the form. In a later format only the version need be as it is now. */
function parseManifest(text: string): Manifest | undefined {
  let found: { readonly [Key in keyof Manifest]?: unknown };
  try {
    found = Object(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { product, format, version, madeAt, parts } = found;
  if (product !== 'respark' || typeof format !== 'number') return undefined;
  // These are shown to the operator, whatever program has written them.
  if (typeof version !== 'string' || !/^[\w.+-]{1,64}$/.test(version)) return undefined;
  const isPart = ({ name, bytes, sha256 }: { readonly [Key in keyof Part]?: unknown }) =>
    typeof name === 'string' && Number.isSafeInteger(bytes) && Number(bytes) >= 0 && typeof sha256 === 'string';
  const isComplete =
    typeof madeAt === 'string' &&
    /^[\dTZ:.-]{1,32}$/.test(madeAt) &&
    Array.isArray(parts) &&
    parts.length <= MAX_PARTS &&
    parts.map(Object).every(isPart);
  return format !== FORMAT || isComplete ? (found as Manifest) : undefined;
}

async function extract(
  bytes: ByteReader,
  { part, path, file }: { part: Part; path: string; file: string },
  taken: (count: number) => void,
): Promise<void> {
  const hash = createHash('sha256');
  const target: FileHandle = await open(path, 'wx', PRIVATE_MODE);
  try {
    for (let left = part.bytes; left > 0; ) {
      const chunk = await bytes.some(left);
      hash.update(chunk);
      await target.writeFile(chunk);
      left -= chunk.length;
      taken(chunk.length);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  if (hash.digest('hex') !== part.sha256) throw damaged(file, `the checksum of ${part.name} is wrong`);
}

function damaged(file: string, why: string, cause?: unknown): StartupError {
  return new StartupError(`the backup ${file} is damaged (${why}): use another one`, { cause });
}

/** The file ended too early, or its compression is broken. */
class ContentError extends Error {
  override readonly name = 'ContentError';
}

function isOfContent(error: unknown): error is Error {
  if (error instanceof ContentError) return true;
  return error instanceof Error && 'code' in error && /^Z_/.test(String(error.code));
}

/** Reads the decompressed bytes of a stream in the lengths that are asked for. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: Readable) {
    const gunzip = createGunzip();
    // The error of the source must reach the reader of the decompressed bytes.
    source.on('error', (error) => gunzip.destroy(error));
    this.#chunks = source.pipe(gunzip)[Symbol.asyncIterator]();
  }

  /** At least one byte, and at most `max`. */
  async some(max: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new ContentError('it ends too early');
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async take(count: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (let left = count; left > 0; ) {
      const chunk = await this.some(left);
      chunks.push(chunk);
      left -= chunk.length;
    }
    return Buffer.concat(chunks);
  }

  /** Reads to the end, where gzip has a checksum of everything, and which must come within `max` bytes. */
  async drain(max: number): Promise<void> {
    for (let left = max - this.#rest.length; left >= 0; ) {
      const next = await this.#chunks.next();
      if (next.done === true) return;
      left -= next.value.length;
    }
    throw new ContentError('more follows its last part');
  }
}

/** A header of the POSIX form (ustar); sizes from 8 GiB on are written as GNU tar does. */
function header(name: string, bytes: number, unixSeconds: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  block.write(name, 0, 100, 'latin1');
  octal(PRIVATE_MODE, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (bytes < 8 ** 11) {
    octal(bytes, 124, 12);
  } else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(bytes), 128);
  }
  octal(unixSeconds, 136, 12);
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(checksumOf(block), 148, 7);
  block[155] = 0x20;
  return block;
}

/** Undefined for anything but the header of a file. */
function parseHeader(block: Buffer): { name: string; bytes: number } | undefined {
  const text = (at: number, length: number) => block.toString('latin1', at, at + length).replace(/[\0 ].*$/s, '');
  const isHeader = text(257, 5) === 'ustar' && Number.parseInt(text(148, 8), 8) === checksumOf(block);
  if (!isHeader) return undefined;
  const bytes = block[124] === 0x80 ? Number(block.readBigUInt64BE(128)) : Number.parseInt(text(124, 12), 8);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? { name: text(0, 100), bytes } : undefined;
}

/** The sum of all bytes of a header, in which its own field counts as spaces. */
function checksumOf(block: Buffer): number {
  let sum = 0;
  for (const [index, byte] of block.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  return sum;
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK);
}
