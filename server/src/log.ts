import { type DestinationStream, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * One line for each event: a constant message, with the facts as fields. `error`: an operator must act. `warn`: an
 * operator may have to act. `info`: the node's life, and what operators changed. `debug`: one request or connection. A
 * client's mistake is never an error; secrets, signatures, tokens and bodies are never logged.
 *
 * Facts may be given as a function, which is called only where the level is on: for lines that every call or connection
 * has, so that they cost nothing where they are not written.
 */
export type Log = Readonly<Record<LogLevel, (facts: object | (() => object), message: string) => void>>;

/** No code logs a fact by one of these names on purpose; what gets here by mistake, or inside an error, is redacted. */
const SECRET_NAME = /secret|token|authorization|signature|password/i;
const MAX_DEPTH = 4;

export function createLog({ level, destination }: { level: LogLevel; destination?: DestinationStream }): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: (facts: object) => redact(facts, MAX_DEPTH) },
    serializers: { err: (error: Error) => redact(pino.stdSerializers.err(error), MAX_DEPTH) },
  };
  const logger = destination === undefined ? pino(options) : pino(options, destination);
  const write = (at: LogLevel) =>
    logger.isLevelEnabled(at)
      ? (facts: object | (() => object), message: string) =>
          logger[at](typeof facts === 'function' ? facts() : facts, message)
      : () => {};
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** For names at any depth, pino's own redaction costs ten times as much as writing the line. */
function redact(facts: object, depth: number): Record<string, unknown> {
  const redacted: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(facts)) {
    if (SECRET_NAME.test(name)) redacted[name] = '[redacted]';
    else redacted[name] = depth > 0 && isPlainObject(value) ? redact(value, depth - 1) : value;
  }
  return redacted;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
